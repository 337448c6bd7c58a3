//! Reads one XML file: well-formedness, namespaces, elements and placeholders in one pass.
//!
//! `xmlparser` is the tokenizer: strict on characters and syntax, with byte ranges. What it leaves to its user is done
//! here: matching end tags, namespaces, duplicate attributes, references, bounds. A DOCTYPE is refused, so there is
//! nothing to expand.

use std::ops::Range;

use xmlparser::{ElementEnd, StrSpan, Token, Tokenizer};

use super::collect::{Collected, Collector, NO_NODE, Placement};
use super::document::{Document, Element, NONE};
use super::malformed::Malformed;
use super::placeholder::Grammar;
use super::problem::Problem;
use super::text::{decode_content, reference};
use crate::diagnostic::Code;

/// How deep elements may lie: deeper than any configuration, not so deep that anything could overflow.
const DEEPEST: usize = 256;
/// How many elements a file may have.
const MOST_ELEMENTS: usize = 16_000_000;
/// How many attributes an element may have.
const MOST_ATTRIBUTES: usize = 256;

/// Reads a file. What comes after the first error is still searched for placeholders, so that no parameter seems
/// unused because of a slip above it.
pub(super) fn read(text: &str, file: usize, grammar: &Grammar) -> (Document, Collected) {
    let mut reader = Reader::new(text, file, grammar);
    if let Err(malformed) = reader.read() {
        let from = malformed.range().start.min(text.len());
        let problem = malformed.into_problem(file);
        reader.collector.problem(problem);
        // Runs must go on from the left; what was read already is skipped by the collector.
        reader.collector.run(from..text.len(), NO_NODE, Placement::Text);
        reader.close_all(from);
        reader.document.broken = true;
    }
    reader.document.group();
    (reader.document, reader.collector.finish())
}

struct Reader<'t> {
    text: &'t str,
    document: Document,
    collector: Collector<'t>,
    open: Vec<Frame<'t>>,
    /// Bindings of prefixes in scope.
    bindings: Vec<(&'t str, u32)>,
    default_namespace: u32,
    pending: Option<Pending<'t>>,
    /// For each path, the path that followed it under one parent last time: the next one is mostly the same again.
    followers: Vec<Follower>,
    /// Places of `&`, from the left.
    ampersands: memchr::Memchr<'t>,
    next_ampersand: usize,
}

/// An element whose end tag has not come yet.
struct Frame<'t> {
    name: &'t str,
    range: Range<usize>,
    element: u32,
    path: u32,
    last_child: u32,
    bindings: usize,
    default_namespace: u32,
}

/// A start tag whose attributes are being read.
struct Pending<'t> {
    prefix: StrSpan<'t>,
    local: StrSpan<'t>,
    start: usize,
    end: usize,
    bindings: usize,
    default_namespace: u32,
    attributes: Vec<(StrSpan<'t>, StrSpan<'t>)>,
}

#[derive(Clone, Copy)]
struct Follower {
    /// The path of the first child.
    first: u32,
    /// The path of the next sibling.
    next: u32,
    /// The parent that it was seen under last.
    parent: u32,
}

type Result<T> = std::result::Result<T, Malformed>;

impl<'t> Reader<'t> {
    fn new(text: &'t str, file: usize, grammar: &'t Grammar) -> Self {
        let mut ampersands = memchr::memchr_iter(b'&', text.as_bytes());
        let next_ampersand = ampersands.next().unwrap_or(usize::MAX);
        let mut document = Document::default();
        document.elements.reserve(text.len() / 64);
        Self {
            text,
            document,
            collector: Collector::new(text, file, grammar),
            open: Vec::new(),
            bindings: Vec::new(),
            default_namespace: 0,
            pending: None,
            followers: Vec::new(),
            ampersands,
            next_ampersand,
        }
    }

    fn read(&mut self) -> Result<()> {
        let text = self.text;
        if u32::try_from(text.len()).is_err() {
            return Err(Malformed::TooLarge("the file is larger than 4 GiB", 0..0));
        }
        for token in Tokenizer::from(text) {
            let token = token.map_err(|error| Malformed::from_tokenizer(text, error, self.open_tag()))?;
            self.token(token)?;
        }
        match self.open.last() {
            Some(frame) => Err(Malformed::Unclosed(frame.name.to_owned(), frame.range.clone())),
            None if self.pending.is_some() => Err(Malformed::Ended(text.len()..text.len())),
            None if self.document.elements.is_empty() => Err(Malformed::Empty(0..text.len().min(1))),
            None => Ok(()),
        }
    }

    fn open_tag(&self) -> Option<(String, Range<usize>)> {
        let frame = self.open.last()?;
        Some((frame.name.to_owned(), frame.range.clone()))
    }

    fn token(&mut self, token: Token<'t>) -> Result<()> {
        match token {
            Token::ElementStart { prefix, local, span } => self.start_tag(prefix, local, span),
            Token::Attribute {
                prefix,
                local,
                value,
                span,
            } => self.attribute(prefix, local, value, span),
            Token::ElementEnd { end, span } => match end {
                ElementEnd::Open => self.finish_tag(span.end()).map(|_| ()),
                ElementEnd::Empty => {
                    self.finish_tag(span.end())?;
                    self.close(span.end(), span.end());
                    Ok(())
                }
                ElementEnd::Close(..) => self.end_tag(span),
            },
            Token::Text { text } => {
                self.references(text.range())?;
                self.content(text.range(), Placement::Text);
                Ok(())
            }
            Token::Cdata { text, span } => {
                self.skip_references(span.end());
                self.content(text.range(), Placement::Cdata);
                Ok(())
            }
            Token::Comment { span, .. } | Token::ProcessingInstruction { span, .. } => {
                self.skip_references(span.end());
                self.collector.run(span.range(), NO_NODE, Placement::Comment);
                Ok(())
            }
            Token::Declaration { .. } => Ok(()),
            Token::DtdStart { span, .. } | Token::EmptyDtd { span, .. } | Token::EntityDeclaration { span, .. } => {
                Err(Malformed::Doctype(span.range()))
            }
            Token::DtdEnd { .. } => Ok(()),
        }
    }

    fn content(&mut self, range: Range<usize>, placement: Placement) {
        let node = self.open.last().map_or(NO_NODE, |frame| frame.element);
        if self.collector.run(range, node, placement)
            && let Some(element) = self.document.elements.get_mut(node as usize)
        {
            element.flags |= Element::PLACEHOLDER;
        }
    }

    /// Every `&` of a text must begin a reference that means something without a DTD.
    #[inline]
    fn references(&mut self, range: Range<usize>) -> Result<()> {
        while self.next_ampersand < range.end {
            let at = self.next_ampersand;
            if at >= range.start && reference(&self.text[at..range.end]).is_none() {
                return Err(Malformed::reference(self.text, at, range.end));
            }
            self.next_ampersand = self.ampersands.next().unwrap_or(usize::MAX);
        }
        Ok(())
    }

    fn skip_references(&mut self, end: usize) {
        while self.next_ampersand < end {
            self.next_ampersand = self.ampersands.next().unwrap_or(usize::MAX);
        }
    }

    fn start_tag(&mut self, prefix: StrSpan<'t>, local: StrSpan<'t>, span: StrSpan<'t>) -> Result<()> {
        if self.open.len() >= DEEPEST {
            return Err(Malformed::TooLarge("elements lie more than 256 deep", span.range()));
        }
        if self.document.elements.len() >= MOST_ELEMENTS {
            return Err(Malformed::TooLarge(
                "the file has more than 16 million elements",
                span.range(),
            ));
        }
        self.pending = Some(Pending {
            prefix,
            local,
            start: span.start(),
            end: span.end(),
            bindings: self.bindings.len(),
            default_namespace: self.default_namespace,
            attributes: Vec::new(),
        });
        Ok(())
    }

    fn attribute(
        &mut self,
        prefix: StrSpan<'t>,
        local: StrSpan<'t>,
        value: StrSpan<'t>,
        span: StrSpan<'t>,
    ) -> Result<()> {
        self.references(value.range())?;
        self.collector
            .run(value.range(), self.document.elements.len() as u32, Placement::Attribute);
        let Some(pending) = &mut self.pending else {
            return Ok(());
        };
        let twice = |(p, l): &(StrSpan<'_>, StrSpan<'_>)| p.as_str() == prefix.as_str() && l.as_str() == local.as_str();
        if pending.attributes.iter().any(twice) {
            return Err(Malformed::AttributeTwice(span.range()));
        }
        if pending.attributes.len() >= MOST_ATTRIBUTES {
            return Err(Malformed::TooLarge(
                "an element has more than 256 attributes",
                span.range(),
            ));
        }
        pending.attributes.push((prefix, local));
        let name = || decode_content(value.as_str());
        if prefix.as_str() == "xmlns" {
            if value.as_str().is_empty() {
                return Err(Malformed::PrefixUnbound(local.as_str().to_owned(), span.range()));
            }
            let namespace = self.document.paths.namespaces.intern(&name());
            self.bindings.push((local.as_str(), namespace));
        } else if prefix.as_str().is_empty() && local.as_str() == "xmlns" {
            self.default_namespace = self.document.paths.namespaces.intern(&name());
        }
        Ok(())
    }

    fn namespace(&mut self, prefix: StrSpan<'t>) -> Result<u32> {
        if prefix.as_str() == "xml" {
            return Ok(self
                .document
                .paths
                .namespaces
                .intern("http://www.w3.org/XML/1998/namespace"));
        }
        let bound = |(bound, _): &&(&str, u32)| *bound == prefix.as_str();
        match self.bindings.iter().rev().find(bound) {
            Some((_, namespace)) => Ok(*namespace),
            None => Err(Malformed::PrefixUnbound(prefix.as_str().to_owned(), prefix.range())),
        }
    }

    /// All attributes are known: the element has a namespace, so it has a path.
    fn finish_tag(&mut self, end: usize) -> Result<()> {
        let Some(pending) = self.pending.take() else {
            return Ok(());
        };
        let mut flags = 0;
        for (prefix, local) in &pending.attributes {
            let declares = prefix.as_str() == "xmlns" || (prefix.is_empty() && local.as_str() == "xmlns");
            if !declares {
                flags |= Element::ATTRIBUTES;
            }
            if !prefix.is_empty() && !matches!(prefix.as_str(), "xmlns" | "xml") {
                self.namespace(*prefix)?;
            }
        }
        let namespace = if pending.prefix.is_empty() {
            self.default_namespace
        } else {
            self.namespace(pending.prefix)?
        };
        let index = self.document.elements.len() as u32;
        let (parent, path) = self.path(namespace, pending.local.as_str());
        self.document.elements.push(Element {
            path,
            parent,
            subtree_end: index + 1,
            start: pending.start as u32,
            content_start: end as u32,
            content_end: end as u32,
            end: end as u32,
            flags,
        });
        self.open.push(Frame {
            name: &self.text[pending.start + 1..pending.end],
            range: pending.start..pending.end,
            element: index,
            path,
            last_child: NONE,
            bindings: pending.bindings,
            default_namespace: pending.default_namespace,
        });
        Ok(())
    }

    /// The path of a new child of the innermost open element.
    fn path(&mut self, namespace: u32, local: &str) -> (u32, u32) {
        let Some(frame) = self.open.last_mut() else {
            let path = self.document.paths.intern(NONE, namespace, local);
            self.follow(path);
            return (NONE, path);
        };
        let (parent, parent_path, last) = (frame.element, frame.path, frame.last_child);
        let guess = if last == NONE {
            self.followers[parent_path as usize].first
        } else {
            self.followers[last as usize].next
        };
        let guessed = self.document.paths.list.get(guess as usize);
        let path = match guessed {
            Some(path) if path.namespace == namespace && *path.local == *local => guess,
            _ => {
                let path = self.document.paths.intern(parent_path, namespace, local);
                self.follow(path);
                if last == NONE {
                    self.followers[parent_path as usize].first = path;
                } else {
                    self.followers[last as usize].next = path;
                }
                path
            }
        };
        let follower = &mut self.followers[path as usize];
        if follower.parent == parent {
            self.document.paths.list[path as usize].repeated = true;
            let element = &mut self.document.elements[parent as usize];
            if !element.has(Element::REPEATS) {
                element.flags |= Element::REPEATS;
                self.document.repeating.push(parent);
            }
        }
        follower.parent = parent;
        if let Some(frame) = self.open.last_mut() {
            frame.last_child = path;
        }
        (parent, path)
    }

    fn follow(&mut self, path: u32) {
        if self.followers.len() <= path as usize {
            self.followers.push(Follower {
                first: NONE,
                next: NONE,
                parent: NONE,
            });
        }
    }

    fn end_tag(&mut self, span: StrSpan<'t>) -> Result<()> {
        let written = span
            .as_str()
            .get(2..span.len().saturating_sub(1))
            .unwrap_or_default()
            .trim_end();
        match self.open.last() {
            Some(frame) if frame.name == written => {
                self.close(span.start(), span.end());
                Ok(())
            }
            Some(frame) => Err(Malformed::Mismatched {
                open: frame.name.to_owned(),
                opened: frame.range.clone(),
                close: written.to_owned(),
                closed: span.range(),
            }),
            None => Err(Malformed::NotOpen(written.to_owned(), span.range())),
        }
    }

    fn close(&mut self, content_end: usize, end: usize) {
        let Some(frame) = self.open.pop() else {
            return;
        };
        self.bindings.truncate(frame.bindings);
        self.default_namespace = frame.default_namespace;
        let subtree_end = self.document.elements.len() as u32;
        let element = &mut self.document.elements[frame.element as usize];
        element.subtree_end = subtree_end;
        element.content_end = content_end as u32;
        element.end = end as u32;
    }

    /// After an error: what is open ends there.
    fn close_all(&mut self, at: usize) {
        while let Some(frame) = self.open.last() {
            let start = self.document.elements[frame.element as usize].content_start as usize;
            self.close(at.max(start), at.max(start));
        }
    }
}

impl Malformed {
    fn into_problem(self, file: usize) -> Problem {
        let (message, place, help) = self.words();
        let code = if matches!(self, Self::Doctype(_)) {
            Code::XmlDoctype
        } else {
            Code::XmlMalformed
        };
        let mut problem = Problem::new(code, message).at(file, self.range(), place);
        if let Some((range, text)) = self.second() {
            problem = problem.at(file, range, text);
        }
        match help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

#[cfg(test)]
mod tests;
