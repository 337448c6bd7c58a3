//! What holds for every configuration: made of random trees, split and shuffled at random.

use proptest::prelude::*;

use super::super::testing::{config, read};
use super::*;

/// A client: what may be edited in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Client {
    id: u8,
    name: String,
    redirects: Vec<u8>,
    implicit: bool,
    /// Entries without a known key.
    pairs: Vec<(u8, u8)>,
    /// Where order means something.
    steps: Vec<u8>,
}

fn client() -> impl Strategy<Value = Client> {
    let few = || prop::collection::btree_set(0..6_u8, 0..4).prop_map(Vec::from_iter);
    let steps = Just((0..5_u8).collect::<Vec<_>>()).prop_shuffle();
    let pairs = prop::collection::vec((0..4_u8, 0..4_u8), 0..4);
    ("[a-z]{0,3}", few(), any::<bool>(), pairs, steps, 0..6_usize).prop_map(
        |(name, redirects, implicit, pairs, mut steps, kept)| {
            steps.truncate(kept);
            Client {
                id: 0,
                name,
                redirects,
                implicit,
                pairs,
                steps,
            }
        },
    )
}

fn clients() -> impl Strategy<Value = Vec<Client>> {
    prop::collection::vec(client(), 0..6).prop_map(|mut clients| {
        for (id, client) in (0..).zip(&mut clients) {
            client.id = id;
        }
        clients
    })
}

/// Its parts in the order that `turn` says: order means nothing among them.
fn written(client: &Client, turn: usize) -> String {
    let mut parts = vec![
        format!("<id>{}</id>", client.id),
        format!("<name> {} </name>", client.name),
    ];
    parts.extend(
        client
            .redirects
            .iter()
            .map(|value| format!("<redirect-uris>{value}</redirect-uris>")),
    );
    parts.extend(client.implicit.then(|| "<caps><implicit/></caps>".to_owned()));
    let pairs = client.pairs.iter();
    // Two, so that they are entries of a list on both sides.
    parts.push("<item><none/></item><item><none/></item>".to_owned());
    parts.extend(pairs.map(|(one, two)| format!("<item><one>{one}</one><two>{two}</two></item>")));
    let at = turn % parts.len();
    parts.rotate_left(at);
    parts.extend(client.steps.iter().map(|value| format!("<steps>{value}</steps>")));
    format!("<client>{}</client>", parts.concat())
}

fn bundle(clients: &[Client], files: usize, turn: usize) -> Bundle {
    let mut contents = vec![String::new(); files];
    for (index, client) in clients.iter().enumerate() {
        contents[(index + turn) % files] += &written(client, turn);
    }
    if turn % 2 == 1 {
        contents.reverse();
    }
    let texts: Vec<_> = contents
        .iter()
        .map(|content| config(&format!("<clients>{content}</clients>")))
        .collect();
    read(&texts.iter().map(String::as_str).collect::<Vec<_>>()).0
}

/// What is the same whatever the order, where order means nothing.
fn canonical(clients: &[Client]) -> Vec<Client> {
    let mut clients = clients.to_vec();
    for client in &mut clients {
        client.pairs.sort_unstable();
    }
    clients
}

/// A step is moved or not; all others are told exactly.
fn expected(before: &[Client], after: &[Client]) -> Vec<String> {
    let mut expected = Vec::new();
    for client in after {
        let path = format!("/clients/client[{}]", client.id);
        let Some(was) = before.iter().find(|was| was.id == client.id) else {
            expected.push(format!("added {path}"));
            continue;
        };
        if was.name != client.name {
            expected.push(format!("changed {path}/name"));
        }
        let mut values = |name: &str, old: &[u8], new: &[u8]| {
            expected.extend(
                new.iter()
                    .filter(|value| !old.contains(value))
                    .map(|_| format!("added {path}/{name}")),
            );
            expected.extend(
                old.iter()
                    .filter(|value| !new.contains(value))
                    .map(|_| format!("removed {path}/{name}")),
            );
        };
        values("redirect-uris", &was.redirects, &client.redirects);
        values("steps", &was.steps, &client.steps);
        if was.implicit != client.implicit {
            let kind = if client.implicit { "added" } else { "removed" };
            expected.push(format!("{kind} {path}/caps/implicit"));
        }
    }
    let gone = before
        .iter()
        .filter(|was| !after.iter().any(|client| client.id == was.id));
    expected.extend(gone.map(|was| format!("removed /clients/client[{}]", was.id)));
    expected.sort();
    expected
}

fn lines(changes: &[Change]) -> Vec<String> {
    let mut lines: Vec<_> = changes
        .iter()
        .map(|change| format!("{} {}", change.kind.as_str(), change.path))
        .collect();
    lines.sort();
    lines
}

/// The length of the longest common subsequence, by the book.
fn longest_common(one: &[u8], other: &[u8]) -> usize {
    let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
    for (row, first) in one.iter().enumerate() {
        for (column, second) in other.iter().enumerate() {
            table[row + 1][column + 1] = if first == second {
                table[row][column] + 1
            } else {
                table[row][column + 1].max(table[row + 1][column])
            };
        }
    }
    table[one.len()][other.len()]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_same_split_and_shuffled_is_equal(clients in clients(), files in 1..4_usize, turn in 0..9_usize) {
        let changes = diff(&bundle(&clients, 1, 0), &bundle(&clients, files, turn));
        prop_assert_eq!(lines(&changes), Vec::<String>::new());
    }

    #[test]
    fn edits_are_told_and_nothing_else(
        before in clients(), after in clients(), keep in prop::collection::vec(any::<bool>(), 6), files in 1..4_usize, turn in 0..9_usize,
    ) {
        // Some stay as they are; of those that change, pairs and steps' order are looked at below.
        let mut after = after;
        for (client, keep) in after.iter_mut().zip(keep) {
            if let Some(was) = before.get(client.id as usize) {
                if keep {
                    *client = was.clone();
                }
                client.pairs = was.pairs.clone();
            }
        }
        let changes = diff(&bundle(&before, 1, 0), &bundle(&after, files, turn));
        let (moved, others): (Vec<_>, Vec<_>) = changes.iter().cloned().partition(|change| change.kind == ChangeKind::Moved);
        prop_assert_eq!(lines(&others), expected(&before, &after));
        let mut least = 0;
        for (was, is) in before.iter().zip(&after) {
            let common = was.steps.iter().filter(|step| is.steps.contains(step)).count();
            least += common - longest_common(&was.steps, &is.steps);
        }
        prop_assert_eq!(moved.len(), least, "{:?}", moved);
    }

    #[test]
    fn nothing_is_told_just_when_nothing_differs(before in clients(), after in clients(), turn in 0..9_usize) {
        let changes = diff(&bundle(&before, 1, 0), &bundle(&after, 2, turn));
        prop_assert_eq!(changes.is_empty(), canonical(&before) == canonical(&after), "{:?}", changes);
        let same = diff(&bundle(&after, 1, 0), &bundle(&after, 1, 0));
        prop_assert!(same.is_empty());
    }
}
