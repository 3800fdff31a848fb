//! Who may use the server.

use super::client::ClientFlags;
use crate::command::cx::Cx;
use crate::command::fail::Fail;

/// What a client says to prove who it is.
#[derive(Clone, Copy)]
pub struct Credentials<'a> {
    /// The user's name.
    pub user: &'a [u8],
    /// Its password.
    pub password: &'a [u8],
}

impl Cx<'_> {
    /// Authenticates the client or fails without a change.
    pub fn authenticate(&mut self, credentials: Credentials<'_>) -> Result<(), Fail> {
        let required = self.data.st.config.requirepass();
        let known = credentials.user == b"default";
        // A default user without a password takes any.
        let right = required.is_empty() || is_same(required, credentials.password);
        if !(known && right) {
            self.data.st.stats.denied_auth += 1;
            return Err(Fail::WrongPass);
        }
        let let_in = ClientFlags::AUTHENTICATED.and(ClientFlags::KNOWN);
        self.client().flags.set(let_in, true);
        Ok(())
    }
}

/// Compares two secrets in a time that tells nothing of where they differ.
fn is_same(secret: &[u8], guess: &[u8]) -> bool {
    let differences = secret
        .iter()
        .zip(guess)
        .fold(0, |acc, (a, b)| acc | (a ^ b));
    secret.len() == guess.len() && differences == 0
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn only_the_whole_secret_is_the_same() {
        assert!(is_same(b"secret", b"secret"));
        for guess in [&b"secre"[..], b"secrets", b"secreT", b""] {
            assert!(!is_same(b"secret", guess));
        }
    }
}
