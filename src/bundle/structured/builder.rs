//! Makes a [`Document`] of what a parser meets.

use std::ops::Range;

use super::super::collect::Placement;
use super::super::document::{Document, Element, NONE, Syntax};
use super::super::scalar::Style;
use super::{DEEPEST, Holes, MOST_ELEMENTS, Malformed, Result, RootArray, Run};

/// What an array's items are called that is itself an array's item, or a root.
const ITEM: &str = "item";

/// An object or array whose end has not come yet.
enum Frame {
    Object {
        element: u32,
        path: u32,
        /// The member whose value comes next.
        member: Option<Slot>,
    },
    Array {
        parent: u32,
        /// The path of its items.
        path: u32,
        count: usize,
        /// Where it stands, should it be empty.
        slot: Slot,
        /// The element made for it, where its items can't stand for it.
        element: Option<u32>,
    },
}

/// Where the next value goes.
#[derive(Clone, Copy)]
struct Slot {
    parent: u32,
    path: u32,
    start: u32,
    flags: u32,
}

/// A member that stands twice: here, and first there.
pub(super) type Twice = (Range<usize>, Range<usize>);

/// Makes a document, from the top or (TOML) table by table.
pub(super) struct Builder<'t> {
    text: &'t str,
    holes: &'t Holes,
    root_array: RootArray,
    document: Document,
    open: Vec<Frame>,
    /// For each path the element under which it was a member last, and where: to see one twice.
    last: Vec<(u32, Range<u32>)>,
    runs: Vec<Run>,
    duplicates: Vec<Twice>,
    /// Where the last thing ended.
    end: usize,
}

impl<'t> Builder<'t> {
    pub(super) fn new(text: &'t str, holes: &'t Holes, syntax: Syntax, root_array: RootArray) -> Self {
        let document = Document {
            syntax,
            ..Document::default()
        };
        Self {
            text,
            holes,
            root_array,
            document,
            open: Vec::new(),
            last: Vec::new(),
            runs: Vec::new(),
            duplicates: Vec::new(),
            end: 0,
        }
    }

    /// The real text.
    pub(super) fn text(&self) -> &'t str {
        self.text
    }

    /// A member begins: its name, its key's place, and within its quotes. Its value must come next.
    pub(super) fn member(&mut self, name: &str, key: Range<usize>, content: Range<usize>) -> Result<()> {
        self.end = self.end.max(key.end);
        let Some(Frame::Object { element, path, .. }) = self.open.last() else {
            return Err(Malformed::new("a member stands outside of an object", key));
        };
        let (parent, parent_path) = (*element, *path);
        let path = self.document.paths.intern(parent_path, 0, name);
        if self.last.len() <= path as usize {
            self.last.resize(path as usize + 1, (NONE, 0..0));
        }
        let place = key.start as u32..key.end as u32;
        let before = std::mem::replace(&mut self.last[path as usize], (parent, place));
        // YAML's merge key is no member.
        if before.0 == parent && !(self.document.syntax == Syntax::Yaml && name == "<<") {
            let first = before.1.start as usize..before.1.end as usize;
            self.duplicates.push((key.clone(), first));
        }
        if self.holes.any_in(&content) {
            let style = Style::of(self.document.syntax, self.text, &content);
            self.runs.push(Run {
                range: content,
                node: parent,
                placement: Placement::Scalar(style),
            });
        }
        let slot = Slot {
            parent,
            path,
            start: key.start as u32,
            flags: 0,
        };
        if let Some(Frame::Object { member, .. }) = self.open.last_mut() {
            *member = Some(slot);
        }
        Ok(())
    }

    /// A scalar: its place, and within its quotes. `flags`: [`Element::EMPTY`] for `null`.
    pub(super) fn scalar(&mut self, place: Range<usize>, content: Range<usize>, flags: u32) -> Result<()> {
        let slot = self.slot(place.start)?;
        let has_hole = self.holes.any_in(&content);
        let flags = slot.flags | flags | if has_hole { Element::PLACEHOLDER } else { 0 };
        let node = self.push(Slot { flags, ..slot }, place, content.clone())?;
        if has_hole {
            let style = Style::of(self.document.syntax, self.text, &content);
            self.runs.push(Run {
                range: content,
                node,
                placement: Placement::Scalar(style),
            });
        }
        Ok(())
    }

    /// An object begins.
    pub(super) fn object(&mut self, at: usize) -> Result<()> {
        let slot = self.slot(at)?;
        self.deeper(at)?;
        let element = self.push(slot, at..at, at..at)?;
        self.open.push(Frame::Object {
            element,
            path: slot.path,
            member: None,
        });
        Ok(())
    }

    /// An array begins.
    pub(super) fn array(&mut self, at: usize) -> Result<()> {
        let slot = self.slot(at)?;
        self.deeper(at)?;
        let is_root = slot.parent == NONE;
        let own = slot.flags & Element::ITEM != 0 || (is_root && self.root_array == RootArray::Items);
        let frame = if own {
            let element = self.push(slot, at..at, at..at)?;
            let path = self.document.paths.intern(slot.path, 0, ITEM);
            Frame::Array {
                parent: element,
                path,
                count: 0,
                slot,
                element: Some(element),
            }
        } else {
            Frame::Array {
                parent: slot.parent,
                path: slot.path,
                count: 0,
                slot,
                element: None,
            }
        };
        self.open.push(frame);
        Ok(())
    }

    /// The innermost object or array ends. `end`: after its bracket; where it has none, where the last thing ended.
    pub(super) fn close(&mut self, end: Option<usize>) {
        let end = end.unwrap_or(self.end);
        self.end = self.end.max(end);
        match self.open.pop() {
            Some(Frame::Object { element, .. }) => self.close_element(element, end),
            Some(Frame::Array {
                element: Some(element),
                count,
                ..
            }) => {
                self.close_element(element, end);
                if count == 0 {
                    self.document.elements[element as usize].flags |= Element::EMPTY_LIST;
                }
            }
            Some(Frame::Array { count: 0, slot, .. }) if slot.parent != NONE => {
                let flags = slot.flags | Element::EMPTY | Element::EMPTY_LIST;
                let start = self.bracket(slot.start as usize, end);
                // One more element than the bound does no harm.
                let _ = self.push(Slot { flags, ..slot }, start..end, start..end);
            }
            Some(Frame::Array { .. }) | None => {}
        }
    }

    /// Where the `[` of an empty array stands: after its key.
    fn bracket(&self, start: usize, end: usize) -> usize {
        let written = self.text.get(start..end).unwrap_or_default();
        written.rfind('[').map_or(start, |at| start + at)
    }

    fn close_element(&mut self, index: u32, end: usize) {
        let subtree_end = self.document.elements.len() as u32;
        let element = &mut self.document.elements[index as usize];
        element.subtree_end = subtree_end;
        element.end = element.content_start.max(end as u32);
        element.content_end = element.end;
        if subtree_end == index + 1 {
            element.flags |= Element::EMPTY;
        }
    }

    /// Where the next value goes.
    fn slot(&mut self, at: usize) -> Result<Slot> {
        let root = || Malformed::new("a second value, or text where none may be", at..at + 1);
        match self.open.last_mut() {
            None => Ok(Slot {
                parent: NONE,
                path: self.document.paths.intern(NONE, 0, ""),
                start: at as u32,
                flags: 0,
            }),
            Some(Frame::Object { member, .. }) => member.take().ok_or_else(root),
            Some(Frame::Array {
                parent, path, count, ..
            }) => {
                *count += 1;
                let slot = Slot {
                    parent: *parent,
                    path: *path,
                    start: at as u32,
                    flags: Element::ITEM,
                };
                if *count == 2 {
                    self.document.paths.list[*path as usize].repeated = true;
                    let parent = *parent;
                    if let Some(element) = self.document.elements.get_mut(parent as usize)
                        && !element.has(Element::REPEATS)
                    {
                        element.flags |= Element::REPEATS;
                        self.document.repeating.push(parent);
                    }
                }
                Ok(slot)
            }
        }
    }

    fn deeper(&self, at: usize) -> Result<()> {
        if self.open.len() >= DEEPEST {
            return Err(Malformed::new("objects and arrays lie more than 256 deep", at..at + 1));
        }
        Ok(())
    }

    fn push(&mut self, slot: Slot, place: Range<usize>, content: Range<usize>) -> Result<u32> {
        if self.document.elements.len() >= MOST_ELEMENTS {
            return Err(Malformed::new("the file has more than 16 million elements", place));
        }
        let index = self.document.elements.len() as u32;
        self.end = self.end.max(place.end);
        self.document.elements.push(Element {
            path: slot.path,
            parent: slot.parent,
            subtree_end: index + 1,
            start: slot.start,
            content_start: content.start as u32,
            content_end: content.end as u32,
            end: place.end as u32,
            flags: slot.flags,
        });
        Ok(index)
    }

    /// The document, scalars with placeholders from the left, and members that stand twice (with the first place).
    pub(super) fn finish(mut self) -> (Document, Vec<Run>, Vec<Twice>) {
        while !self.open.is_empty() {
            self.close(None);
        }
        self.runs.sort_by_key(|run| run.range.start);
        if self.document.syntax == Syntax::Toml {
            let mut leaves: Vec<_> = (0..self.document.elements.len() as u32)
                .filter(|index| self.document.is_leaf(*index))
                .collect();
            leaves.sort_by_key(|index| self.document.elements[*index as usize].start);
            self.document.by_place = Some(leaves);
        }
        (self.document, self.runs, self.duplicates)
    }
}
