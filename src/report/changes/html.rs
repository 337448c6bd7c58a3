//! Changes as a page: one file, no network, light and dark, readable without colours.

use std::fmt::Write as _;

use super::{Changes, base_rows, line, values};
use crate::bundle::Change;

/// A longer value is cut: a page must open.
const LONGEST: usize = 2_000;

const STYLE: &str = "\
:root{color-scheme:light dark;--line:#8885;--breaking:#b3261e;--security:#8e24aa;--behaviour:#8a5a00;--cosmetic:#666}\
@media(prefers-color-scheme:dark){:root{--breaking:#ff8a80;--security:#e1a6ff;--behaviour:#ffca6b;--cosmetic:#aaa}}\
body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin:2rem 0 .5rem}p.sides{color:GrayText}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem;border-bottom:1px solid var(--line)}\
code{font:.9em ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}small{color:GrayText}\
.breaking{color:var(--breaking);font-weight:700}.security{color:var(--security);font-weight:700}\
.behaviour{color:var(--behaviour)}.cosmetic{color:var(--cosmetic)}\
@media print{body{margin:0;max-width:none}tr{break-inside:avoid}}";

/// The whole page.
pub fn html(changes: &Changes<'_>) -> String {
    let sides = format!(
        "<p class=\"sides\"><code>{}</code> → <code>{}</code></p>\n",
        escape(&line(&changes.before.0, LONGEST)),
        escape(&line(&changes.after.0, LONGEST))
    );
    page(&changes.headline(), &format!("{sides}{}", body(changes)))
}

/// A page round a body that is HTML already; the title is text.
pub(super) fn page(title: &str, body: &str) -> String {
    let title = escape(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n\
         <body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
    )
}

/// The tables, one a subject.
pub(super) fn body(changes: &Changes<'_>) -> String {
    let mut out = String::new();
    for group in changes.groups() {
        let _ = write!(
            out,
            "<section>\n<h2>{}</h2>\n<table>\n<thead><tr><th scope=\"col\">Severity</th><th scope=\"col\">Change</th>\
             <th scope=\"col\">Where</th><th scope=\"col\">Before</th><th scope=\"col\">After</th></tr></thead>\n<tbody>\n",
            escape(&line(&group.subject.to_string(), LONGEST))
        );
        for change in group.changes {
            out.push_str(&row(change));
        }
        out.push_str("</tbody>\n</table>\n</section>\n");
    }
    let rows = base_rows(changes.base);
    if !rows.is_empty() {
        out.push_str(
            "<section>\n<h2>Image</h2>\n<table>\n<thead><tr><th scope=\"col\">What</th><th scope=\"col\">Before</th>\
             <th scope=\"col\">After</th></tr></thead>\n<tbody>\n",
        );
        for (what, before, after) in rows {
            let _ = writeln!(
                out,
                "<tr><td>{}</td>{}{}</tr>",
                escape(&what),
                cell(before.as_deref()),
                cell(after.as_deref())
            );
        }
        out.push_str("</tbody>\n</table>\n</section>\n");
    }
    out
}

fn row(change: &Change) -> String {
    let (before, after) = values(change);
    let because = change
        .because
        .as_ref()
        .map(|text| format!("<br><small>{}</small>", escape(&line(text, LONGEST))));
    let severity = change.severity.as_str();
    format!(
        "<tr><td class=\"{severity}\">{severity}</td><td>{}</td><td><code>{}</code>{}</td>{}{}</tr>\n",
        change.kind.as_str(),
        escape(&line(&change.path, LONGEST)),
        because.unwrap_or_default(),
        cell(before),
        cell(after)
    )
}

fn cell(value: Option<&str>) -> String {
    match value {
        None => "<td></td>".to_owned(),
        Some("") => "<td><small>(empty)</small></td>".to_owned(),
        Some(text) => format!("<td><code>{}</code></td>", escape(&line(text, LONGEST))),
    }
}

/// Text as HTML, also within quotes.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            character => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn the_page_tells_all_and_needs_nobody() {
        let (changes, base) = (example::changes(), example::base());
        let page = html(&example::of(&changes, &base));
        for text in [
            "<h1>4 changes: 1 breaking",
            "<h2>client `web-client`</h2>",
            "<td class=\"breaking\">breaking</td><td>removed</td>",
            "<small>logins that come back there fail</small>",
            "<td><code>(secret)</code></td><td><code>(secret)</code></td>",
            "<td>user on linux/arm64</td><td><code>10001</code></td><td></td>",
        ] {
            assert!(page.contains(text), "{text}:\n{page}");
        }
        for text in ["src=", "href=", "url(", "@import", "<script"] {
            assert!(!page.contains(text), "{text}");
        }
    }

    #[test]
    fn nothing_in_a_value_is_markup() {
        let (changes, base) = (example::hostile(), example::hostile_base());
        let page = html(&example::of(&changes, &base));
        for text in ["<script", "<b>", "onmouseover=\"", "onload='", "</table></details>"] {
            assert!(!page.contains(text), "{text}");
        }
        let count = |text: &str| page.matches(text).count();
        assert_eq!(count("<td>") + count("<td class"), count("</td>"));
        assert_eq!(count("<code>"), count("</code>"));
        assert!(page.len() < 400_000, "{}", page.len());
    }
}
