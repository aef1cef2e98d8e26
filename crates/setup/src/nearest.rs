//! The nearest of several words to one that was mistyped.
//!
//! Always: the same words give the same answer; where two are equally near, the first. Not here: what is
//! said about it.

/// How many letters must be put in, taken out, exchanged or swapped with their neighbour to make one word
/// of the other (the optimal string alignment distance).
pub fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for i in 1..=one.len() {
        let mut next = vec![i];
        for j in 1..=other.len() {
            let exchange = row[j - 1] + usize::from(one[i - 1] != other[j - 1]);
            let mut least = exchange.min(row[j] + 1).min(next[j - 1] + 1);
            if i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
    }
    row[other.len()]
}

/// The nearest of these, if any is near: at most half of the longer word's letters differ. Capitals and
/// hyphens in the place of underscores do not count.
pub fn nearest<'a>(word: &str, of: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = |word: &str| word.to_lowercase().replace('-', "_");
    let word = plain(word);
    let near = |other: &&str| distance(&word, &plain(other)) * 2 <= word.chars().count().max(other.len());
    let near = of.into_iter().filter(near);
    near.min_by_key(|other| distance(&word, &plain(other)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        for (one, other, steps) in [
            ("", "", 0),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
            ("servers", "server", 1),
            ("lisetn", "listen", 1),
            ("genesis", "gneesis", 1),
            ("ä", "a", 1),
        ] {
            assert_eq!(distance(one, other), steps, "{one} {other}");
            assert_eq!(distance(other, one), steps, "{other} {one}");
        }
    }

    #[test]
    fn only_what_is_near_is_named() {
        let keys = ["name", "key", "genesis", "consensus", "leader_timeout_ms"];
        for (word, wanted) in [
            ("consensu", Some("consensus")),
            ("Genesis", Some("genesis")),
            ("leader-timeout", Some("leader_timeout_ms")),
            ("nmae", Some("name")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, keys), wanted, "{word}");
        }
    }
}
