#!/bin/sh
# Moves a virtual IP with the master, for Sentinels without `sentinel virtual-ip`, Redis's among them:
#
#   sentinel client-reconfig-script mymaster /etc/holdfast/client-reconfig-virtual-ip.sh
#
# on every host with a server and a Sentinel. Each line of /etc/holdfast/virtual-ip.conf (or of the file
# that VIRTUAL_IP_CONF names) tells of one master:
#
#   mymaster 10.0.0.100/24 eth0
#
# A Sentinel runs this when the address of a master has changed, with
#
#   <master-name> <leader|observer> start <from-ip> <from-port> <to-ip> <to-port>
#
# The host that <to-ip> belongs to gets the virtual IP and tells its neighbours; every other host loses
# it. It does no harm to run this again. The first master gets the address from its operator, by the same
# words with its own address as <to-ip>. It takes root, or CAP_NET_ADMIN and CAP_NET_RAW.
#
# Exit status: 0 is done, 1 asks the Sentinel for another try, 2 says that one would be in vain.
set -u
PATH=$PATH:/usr/sbin:/sbin

give_up() {
    echo "client-reconfig-virtual-ip: $*" >&2
    exit 2
}

# Runs ip; what fails may go well the next time, unless it is not allowed.
change() {
    said=$(LC_ALL=C ip "$@" 2>&1) && return 0
    case $said in
    *"not permitted"*) give_up "ip $*: $said" ;;
    esac
    echo "client-reconfig-virtual-ip: ip $*: $said" >&2
    exit 1
}

[ $# -eq 7 ] || give_up "it takes seven arguments, as a Sentinel gives them"
master=$1
to=$6
conf=${VIRTUAL_IP_CONF:-/etc/holdfast/virtual-ip.conf}
[ -r "$conf" ] || give_up "$conf can't be read"
command -v ip >/dev/null || give_up "ip (iproute2) is not installed"

# A master without a line has no virtual IP.
address= interface=
while read -r name one two rest; do
    if [ "$name" = "$master" ]; then
        address=$one interface=$two
    fi
done <"$conf"
[ -n "$address" ] || exit 0
[ -n "$interface" ] || give_up "the line of $master in $conf is too short"
case $address in
*/*) ;;
*) give_up "$address in $conf has no prefix length" ;;
esac
[ -n "$(ip link show dev "$interface" 2>/dev/null)" ] || give_up "there is no interface $interface"

# With announce-hostnames it may be a name.
resolved=$(getent ahosts "$to" 2>/dev/null | awk 'NR == 1 { print $1 }')
to=${resolved:-$to}
plain=${address%/*}
[ "$to" != "$plain" ] || give_up "$to is the virtual IP itself, not an address of the master's host"

here() {
    [ -n "$(ip -o address show to "$1" 2>/dev/null)" ]
}

if ! here "$to"; then
    if here "$plain"; then
        change address del "$address" dev "$interface"
    fi
    exit 0
fi

case $address in
*:*)
    here "$plain" || change address add "$address" dev "$interface" nodad
    if command -v ndsend >/dev/null; then
        ndsend "$plain" "$interface" >/dev/null || exit 1
    else
        echo "client-reconfig-virtual-ip: ndsend is not installed, so that the neighbours learn of" \
            "$plain when they next ask" >&2
    fi
    ;;
*)
    here "$plain" || change address add "$address" dev "$interface"
    if command -v arping >/dev/null; then
        # As an answer and as a request: some systems heed only one of them.
        arping -q -c 3 -w 3 -A -I "$interface" "$plain" >/dev/null 2>&1
        arping -q -c 3 -w 3 -U -I "$interface" "$plain" >/dev/null 2>&1
    else
        echo "client-reconfig-virtual-ip: arping (iputils-arping) is not installed, so that the" \
            "neighbours learn of $plain when they next ask" >&2
    fi
    ;;
esac
exit 0
