//! Lists tags, page by page. A listing that can't be completed is an error, never a short list.

use std::collections::HashSet;

use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Deserializer};
use url::Url;

use super::envelope::Envelope;
use super::exchange::Call;
use super::scope::Scope;
use super::wire::Reply;
use super::{Registry, origin};
use crate::image::Tag;
use crate::store::StoreError;

/// The largest page of a listing.
const MAX_PAGE_BYTES: usize = 10_000_000;
/// More pages than any listing that iamship could use.
const MAX_PAGES: usize = 2_000;

#[derive(Deserialize)]
struct Page {
    /// `null` for none; where it lacks, the document is no listing.
    #[serde(deserialize_with = "nullable")]
    tags: Vec<String>,
}

fn nullable<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl Registry {
    pub(super) async fn list_tags(&self) -> Result<Vec<Tag>, StoreError> {
        let mut url = self.url("tags/list");
        // The largest page that the usual registries grant; some answer 400 to more, some ignore it and send all.
        url.query_pairs_mut().append_pair("n", "1000");
        let action = "listing the tags";
        let mut tags = Vec::new();
        let mut pages = self.pages(url, action, None);
        while let Some(reply) = pages.next().await? {
            match reply.status {
                StatusCode::OK => {}
                StatusCode::NOT_FOUND if pages.is_first() && no_repository(&reply) => return Ok(tags),
                status => return Err(self.refused(action, status, &reply.body)),
            }
            let page: Page = serde_json::from_slice(&reply.body).map_err(|error| StoreError::Refused {
                location: self.location.clone(),
                action: action.to_owned(),
                reason: format!("the answer is not a list of tags: {error}"),
            })?;
            // What can't be a tag can't be one of ours either.
            tags.extend(page.tags.iter().filter_map(|tag| tag.parse::<Tag>().ok()));
        }
        tags.sort_unstable();
        tags.dedup();
        Ok(tags)
    }

    /// The pages of a listing, each asked for when the one before has been read.
    pub(super) fn pages<'a>(&'a self, first: Url, action: &'a str, accept: Option<&'a str>) -> Pages<'a> {
        Pages {
            registry: self,
            action,
            accept,
            next: Some(first),
            seen: HashSet::new(),
        }
    }
}

/// A repository without anything yet: `NAME_UNKNOWN` by the specification, `NOT_FOUND` from Harbor.
fn no_repository(reply: &Reply) -> bool {
    Envelope::parse(&reply.body).has(&["NAME_UNKNOWN", "NOT_FOUND"])
}

/// Follows `Link: <…>; rel="next"` within one registry.
pub(super) struct Pages<'a> {
    registry: &'a Registry,
    action: &'a str,
    accept: Option<&'a str>,
    next: Option<Url>,
    seen: HashSet<Url>,
}

impl Pages<'_> {
    /// The next page, whatever its status; `None` after the last.
    pub(super) async fn next(&mut self) -> Result<Option<Reply>, StoreError> {
        let Some(url) = self.next.take() else {
            return Ok(None);
        };
        if !self.seen.insert(url.clone()) || self.seen.len() > MAX_PAGES {
            return Err(self.bad_link("it goes round in circles"));
        }
        let registry = self.registry;
        let call = Call {
            accept: self.accept.map(str::to_owned),
            ..registry.call(
                Method::GET,
                url.clone(),
                Scope::pull(&registry.repository),
                self.action.to_owned(),
            )
        };
        let reply = registry.fetch(&call, MAX_PAGE_BYTES).await?;
        if reply.status.is_success()
            && let Some(link) = next_link(&reply.headers)
        {
            let next = origin::follow(&url, &link).map_err(|reason| self.bad_link(&reason))?;
            if !origin::same(&registry.host.base, &next) {
                return Err(self.bad_link("it leads to another host"));
            }
            self.next = Some(next);
        }
        Ok(Some(reply))
    }

    /// Whether only one page has been asked for.
    pub(super) fn is_first(&self) -> bool {
        self.seen.len() == 1
    }

    fn bad_link(&self, reason: &str) -> StoreError {
        StoreError::Refused {
            location: self.registry.location.clone(),
            action: self.action.to_owned(),
            reason: format!("the link to the next page can't be followed: {reason}"),
        }
    }
}

/// The target with `rel="next"` (RFC 8288).
fn next_link(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().find_map(|value| {
        let mut rest = value.to_str().ok()?;
        while let Some((_, after)) = rest.split_once('<') {
            let (target, after) = after.split_once('>')?;
            let parameters = after.split('<').next().unwrap_or_default();
            let is_next = parameters.split([';', ',']).any(|parameter| {
                let (name, value) = parameter.split_once('=').unwrap_or_default();
                name.trim().eq_ignore_ascii_case("rel") && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
            });
            if is_next {
                return Some(target.to_owned());
            }
            rest = after;
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Option<String> {
        next_link(&std::iter::once((LINK, text.parse().expect("header"))).collect())
    }

    #[test]
    fn finds_the_next_link_among_others() {
        assert_eq!(
            link("</v2/a/tags/list?last=b&n=2>; rel=\"next\"").as_deref(),
            Some("/v2/a/tags/list?last=b&n=2")
        );
        assert_eq!(
            link("<https://x/1>; rel=prev, <https://x/2?a=1,2>;title=\"t\";rel=next").as_deref(),
            Some("https://x/2?a=1,2")
        );
        for none in ["", "<", "</a>", "</a>; rel=\"last\"", "a; rel=next"] {
            assert_eq!(link(none), None, "{none}");
        }
    }

    #[test]
    fn a_page_must_have_tags_even_if_null() {
        assert!(serde_json::from_str::<Page>(r#"{"name":"a","tags":null}"#).is_ok_and(|page| page.tags.is_empty()));
        assert!(serde_json::from_str::<Page>(r#"{"name":"a"}"#).is_err());
        assert!(serde_json::from_str::<Page>(r#"{"tags":"x"}"#).is_err());
    }
}
