//! The inputs that were found to be worth keeping.

use std::path::Path;

use holdfast_core::rng::Rng;

/// Runs a target on every input kept for it, in the order of their names.
pub(crate) fn replay(name: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(name);
    let entries = folder.read_dir().expect("the corpus is part of the source");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    assert!(!paths.is_empty(), "{} is empty", folder.display());
    for path in paths {
        let input = std::fs::read(&path);
        target(&input.unwrap_or_else(|error| panic!("{}: {error}", path.display())));
    }
}

/// Runs a target on changed copies of what is kept for it: bytes changed, cut out and doubled,
/// words of its dictionary and parts of other inputs put in. How many follows from
/// HOLDFAST_FUZZ_ROUNDS; they are the same every time.
pub(crate) fn vary(name: &str, target: fn(&[u8])) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut inputs = Vec::new();
    let mut paths: Vec<_> = std::fs::read_dir(root.join("corpus").join(name))
        .expect("the corpus is part of the source")
        .map(|entry| entry.expect("it can be listed").path())
        .collect();
    paths.sort();
    inputs.extend(
        paths
            .iter()
            .map(|path| std::fs::read(path).expect("it can be read")),
    );
    let words = std::fs::read_to_string(root.join(format!("dictionaries/{name}.dict")));
    let words: Vec<Vec<u8>> = words
        .expect("it has a dictionary")
        .lines()
        .map(word)
        .collect();
    let rounds = std::env::var("HOLDFAST_FUZZ_ROUNDS")
        .ok()
        .and_then(|n| n.parse().ok());
    let mut rng = Rng::new([name.len() as u8; 32]);
    for _ in 0..rounds.unwrap_or(200) {
        let mut input = inputs[pick(&mut rng, inputs.len())].clone();
        for _ in 0..=pick(&mut rng, 6) {
            let at = pick(&mut rng, input.len() + 1);
            let end = at + pick(&mut rng, (input.len() - at).min(64) + 1);
            let other = &inputs[pick(&mut rng, inputs.len())];
            let from = pick(&mut rng, other.len() + 1);
            match pick(&mut rng, 6) {
                0 if at < input.len() => input[at] = pick(&mut rng, 256) as u8,
                1 => drop(input.drain(at..end)),
                2 => input.truncate(at),
                3 => drop(input.splice(at..at, input[at..end].to_vec())),
                4 => drop(input.splice(at..end, other[from..].iter().copied().take(200))),
                _ => drop(input.splice(at..at, words[pick(&mut rng, words.len())].clone())),
            }
        }
        // What fails is shown, to be kept.
        let shown = input.escape_ascii().to_string();
        let passed = std::panic::catch_unwind(|| target(&input));
        assert!(passed.is_ok(), "{name} fails with b\"{shown}\"");
    }
}

fn pick(rng: &mut Rng, bound: usize) -> usize {
    usize::try_from(rng.below(bound as u64)).expect("it is below a length")
}

/// A line of a dictionary: a text in quotes, with bytes as `\x0a`.
fn word(line: &str) -> Vec<u8> {
    let text = line.trim_matches('"').as_bytes();
    let mut bytes = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let hex = text[at..]
            .strip_prefix(b"\\x")
            .and_then(|rest| rest.get(..2));
        let code = hex.and_then(|hex| u8::from_str_radix(str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(code.unwrap_or(text[at]));
        at += if code.is_some() { 4 } else { 1 };
    }
    bytes
}
