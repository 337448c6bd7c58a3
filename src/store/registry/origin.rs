//! Which addresses belong to a registry, and where a `Location` may lead.

use url::Url;

/// Host and port as a registry is named: `registry.example.com`, `127.0.0.1:5000`.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether both lead to the same server over the same protocol; only then may they share credentials.
pub(super) fn same(left: &Url, right: &Url) -> bool {
    left.origin() == right.origin()
}

/// Where a `Location` or `Link` of an answer from `base` leads.
///
/// Refuses what is less secure than `base`. A registry behind a proxy that ends TLS often names its own
/// address with `http`; that is taken as `https`.
pub(super) fn follow(base: &Url, location: &str) -> Result<Url, String> {
    let mut url = base
        .join(location)
        .map_err(|error| format!("it leads to an address that can't be read: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("it leads to a `{}` address", url.scheme()));
    }
    if base.scheme() == "https" && url.scheme() == "http" {
        let own = url.host_str() == base.host_str() && (url.port().is_none() || url.port() == base.port());
        let upgraded = own && url.set_port(base.port()).is_ok() && url.set_scheme("https").is_ok();
        if !upgraded {
            return Err(format!("it leads from https to http, at `{}`", authority(&url)));
        }
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it leads to an address with a user name in it".to_owned());
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().expect(text)
    }

    #[test]
    fn a_relative_location_stays_with_the_registry() {
        let base = url("https://registry.example.com/v2/a/blobs/uploads/");
        let next = follow(&base, "/v2/a/blobs/uploads/1?_state=x").expect("own");
        assert!(same(&base, &next));
        let next = follow(&base, "http://registry.example.com/v2/a/blobs/uploads/1").expect("own");
        assert_eq!(next.scheme(), "https");
    }

    #[test]
    fn never_to_less_security_or_another_protocol() {
        let base = url("https://registry.example.com/v2/");
        for bad in [
            "http://storage.example.com/x",
            "file:///etc/passwd",
            "https://user:word@storage.example.com/x",
            "http://registry.example.com:81/",
        ] {
            assert!(follow(&base, bad).is_err(), "{bad}");
        }
        let other = follow(&base, "https://storage.example.com/x").expect("as secure");
        assert!(!same(&base, &other));
        assert!(!same(&base, &url("https://registry.example.com:8443/v2/")));
    }
}
