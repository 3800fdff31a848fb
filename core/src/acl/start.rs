//! The users a configuration begins with.

use super::users::{DEFAULT_NAME, is_name};
use super::{Catalog, SetFault, Users};
use crate::config::{AclPubsubDefault, Config, ConfigError, Fault as ConfigFault};

/// The users of a configuration: those of its `user` lines, or those of its `aclfile`, whose text
/// is `file`. An error tells the line to blame.
pub fn start(config: &Config, catalog: Catalog, file: Option<&[u8]>) -> Result<Users, ConfigError> {
    let all_channels = config.acl_pubsub_default() == AclPubsubDefault::AllChannels;
    let mut users = Users::new(catalog, all_channels);
    users.require_password(config.requirepass());
    let path = config.aclfile();
    if !path.is_empty() && !config.users().is_empty() {
        return Err(config.error_at("aclfile", BOTH));
    }
    for line in config.users() {
        let fail = |reason: String| Err(line.origin.error(ConfigFault::Other(reason.into())));
        let [name, rules @ ..] = &line.args[..] else {
            unreachable!("a user line has a name");
        };
        let shown = |text: &[u8]| String::from_utf8_lossy(text).into_owned();
        if !is_name(name) {
            return fail("Spaces not allowed in ACL usernames".to_owned());
        }
        if **name == *DEFAULT_NAME {
            users.reset(name);
        }
        let rules: Vec<&[u8]> = rules.iter().map(Vec::as_slice).collect();
        match users.set(name, &rules) {
            Ok(_) => {}
            Err(SetFault::Rule(rule, fault)) => {
                let rule = shown(&rule);
                return fail(format!("Error in user declaration '{rule}': {fault}"));
            }
            Err(other) => {
                let (name, reason) = (shown(name), shown(&other.text()));
                return fail(format!("Error in user declaration '{name}': {reason}"));
            }
        }
    }
    if !path.is_empty() {
        let text = file.ok_or_else(|| config.error_at("aclfile", "the file was not read"))?;
        users.load(text, path).map_err(|errors| {
            let errors = String::from_utf8_lossy(&errors);
            let reason = format!("Aborting Redis startup because of ACL errors: {errors}");
            config.error_at("aclfile", reason)
        })?;
    }
    for line in config.users() {
        let id = users.find(&line.args[0]).expect("it was set above");
        if !users.get(id).is_enabled() {
            tracing::info!(
                "The user '{}' is disabled (there is no 'on' modifier in the user description). \
                 Make sure this is not a configuration error.",
                String::from_utf8_lossy(&line.args[0])
            );
        }
    }
    Ok(users)
}

const BOTH: &str = "Configuring Redis with users defined in redis.conf and at the same setting an \
                    ACL file path is invalid. This setup is very likely to lead to configuration \
                    errors and security holes, please define either an ACL file or declare users \
                    directly in your redis.conf, but not both.";
