//! The reply to INFO.

/// Fields in the order they came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Info(Vec<(String, String)>);

impl Info {
    /// Reads `field:value` lines; headers and blank lines fall away.
    pub fn parse(text: &str) -> Self {
        let fields = text.lines().filter(|line| !line.starts_with('#'));
        let fields = fields.filter_map(|line| line.split_once(':'));
        Self(
            fields
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
        )
    }

    /// A field's value, empty if it is not there.
    pub fn get(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(field, _)| field == name);
        found.map_or("", |(_, value)| value)
    }

    /// A field's value as a number.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.get(name).parse().ok()
    }

    /// The names, in order.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_and_headers_are_not() {
        let info = Info::parse("# Replication\r\nrole:master\r\nconnected_slaves:2\r\n\r\n");
        assert_eq!(info.names(), ["role", "connected_slaves"]);
        assert_eq!(info.get("role"), "master");
        assert_eq!(info.number("connected_slaves"), Some(2));
        assert_eq!(info.get("none"), "");
    }
}
