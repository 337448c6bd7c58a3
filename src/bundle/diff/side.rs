//! One side of the comparison: an element with its path's number in both trees, and what makes it the same as another.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash as _, Hasher as _};

use hashbrown::DefaultHashBuilder;
use xmlparser::{Token, Tokenizer};

use super::super::Node;
use super::super::tree::NodeId;
use super::joint::Joint;

/// What makes two siblings of one path the same.
#[derive(PartialEq, Eq, Hash)]
pub(super) enum Identity<'t> {
    /// An entry of a list: its key.
    Key(Cow<'t, str>),
    /// One value of a leaf-list.
    Value(Cow<'t, str>),
    /// An entry of a list whose key nobody knows: its content.
    Content(u64),
    /// There is only one.
    Name,
}

/// Numbers of paths, and contents that are known already.
pub(super) struct Side<'j, 'p> {
    joint: &'j Joint<'p>,
    numbers: &'j [u32],
    contents: HashMap<NodeId, u64>,
    hasher: DefaultHashBuilder,
}

impl<'j, 'p> Side<'j, 'p> {
    /// Both sides hash alike: they must be given one hasher.
    pub(super) fn new(joint: &'j Joint<'p>, numbers: &'j [u32], hasher: DefaultHashBuilder) -> Self {
        Self {
            joint,
            numbers,
            contents: HashMap::new(),
            hasher,
        }
    }

    /// The number of a node's path.
    pub(super) fn path(&self, node: &Node<'_>) -> u32 {
        self.numbers[node.path_number() as usize]
    }

    pub(super) fn identity<'t>(&mut self, node: &Node<'t>) -> Identity<'t> {
        if let Some(key) = exact_key(node) {
            return Identity::Key(key);
        }
        let path = self.joint.path(self.path(node));
        if node.is_empty_list() {
            Identity::Name
        } else if node.is_leaf_list() || (path.leaf_list && node.is_leaf() && node.is_xml()) {
            Identity::Value(node.value())
        } else if node.is_item() || (path.repeats && node.is_xml()) {
            Identity::Content(self.known_content(node))
        } else {
            Identity::Name
        }
    }

    /// Contents of entries are kept: lists in lists would be read again and again.
    fn known_content(&mut self, node: &Node<'_>) -> u64 {
        if let Some(content) = self.contents.get(&node.id) {
            return *content;
        }
        let content = self.content(node);
        self.contents.insert(node.id, content);
        content
    }

    /// A number that is equal where nothing differs: order counts only where it means something.
    fn content(&mut self, node: &Node<'_>) -> u64 {
        let mut own = self.hasher.build_hasher();
        self.path(node).hash(&mut own);
        attributes(node).hash(&mut own);
        let (mut sum, mut places) = (0_u64, HashMap::<u32, u64>::new());
        if node.is_leaf() {
            node.value().hash(&mut own);
        }
        for child in node.children() {
            let number = self.path(&child);
            let path = self.joint.path(number);
            let content = if path.repeats {
                self.known_content(&child)
            } else {
                self.content(&child)
            };
            let place = if path.ordered {
                let place = places.entry(number).or_default();
                *place += 1;
                *place
            } else {
                0
            };
            // A sum does not ask for order; what is summed must be well mixed.
            sum = sum.wrapping_add(self.hasher.hash_one((content, place)));
        }
        sum.hash(&mut own);
        own.finish()
    }
}

/// The values of a key, so that no two keys look the same.
fn exact_key<'t>(node: &Node<'t>) -> Option<Cow<'t, str>> {
    let mut leaves = node.tree.key_leaves(node.id);
    let first = node.tree.value(leaves.next()?);
    let Some(second) = leaves.next() else {
        return Some(first);
    };
    let mut key = first.into_owned();
    for leaf in std::iter::once(second).chain(leaves) {
        key.push('\u{1f}');
        key.push_str(&node.tree.value(leaf));
    }
    Some(Cow::Owned(key))
}

/// Attributes other than declarations of namespaces, by name.
pub(super) fn attributes<'t>(node: &Node<'t>) -> Vec<(&'t str, Cow<'t, str>)> {
    if !node.has_attributes() {
        return Vec::new();
    }
    let range = node.tag_span().range;
    let tag = node.source().text().get(range).unwrap_or_default();
    let mut found: Vec<_> = Tokenizer::from_fragment(tag, 0..tag.len())
        .map_while(Result::ok)
        .filter_map(|token| match token {
            Token::Attribute {
                prefix, local, value, ..
            } if prefix.as_str() != "xmlns" && local.as_str() != "xmlns" => {
                let name = if prefix.is_empty() {
                    local.as_str()
                } else {
                    &tag[prefix.start()..local.end()]
                };
                Some((name, super::super::text::decode_content(value.as_str())))
            }
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found
}
