//! `docker run --env-file`: `NAME=value`, a line each, nothing quoted, nothing expanded, nothing escaped.

use super::{Deployment, Options, RenderError, Secrets};

/// Docker reads lines with a buffer of 64 KiB.
const LONGEST_LINE: usize = 64 * 1024 - 2;

pub(super) fn write(deployment: &Deployment, options: &Options) -> Result<String, RenderError> {
    let mut out = deployment.header(options);
    out.push_str(&format!("# docker run --env-file THIS {}\n", deployment.reference()));
    for (name, value) in deployment.inline(options) {
        check(name, value)?;
        out.push_str(&format!("{name}={value}\n"));
    }
    if options.secrets == Secrets::External {
        // A name on its own is taken from the environment of the client.
        for name in deployment.secrets.keys() {
            out.push_str(&format!("{name}\n"));
        }
    }
    Ok(out)
}

fn check(name: &str, value: &str) -> Result<(), RenderError> {
    let because = if value.contains('\n') {
        "it has a line break in it, and a line is all that an env file of Docker takes"
    } else if value.ends_with('\r') {
        "it ends with a carriage return, which Docker takes for a part of the line break"
    } else if name.len() + value.len() > LONGEST_LINE {
        "it is longer than a line that Docker reads (64 KiB)"
    } else {
        return Ok(());
    };
    Err(RenderError::Unwritable {
        name: name.to_owned(),
        target: "docker",
        because,
        instead: Some("compose"),
    })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{external, inline, one_line_deployment, with_values};
    use super::*;

    #[test]
    fn values_stand_as_they_are() {
        insta::assert_snapshot!(write(&one_line_deployment(), &inline()).unwrap(), @r##"
        # shop 1.0-0123456789ab in staging
        # docker run --env-file THIS registry.example.com/iam/idsvr@sha256:6105d6cc76af400325e94d588ce511be5bfdbb73b437dc51eca43917d7a43e3d
        AT=@a: b #c
        BACKSLASH=a\nb\\c\
        BLANKS=  a  
        DB_PASSWORD=hunter2'$x"%i\
        DOLLAR=${X} $$ $X $(id) $$$ a$
        EMPTY=
        EQUALS=a=b;c&d|e<f>g*?[h]!{i}
        NO=no
        NULL=~
        PERCENT=%n %% 100%
        QUOTED="whole"
        QUOTES='a' "b" `id` it's
        TAB=	a	b
        UNICODE=grüße 😀    ﻿
        Y=1e3
        "##);
    }

    #[test]
    fn external_secrets_come_from_the_clients_environment() {
        let text = write(&one_line_deployment(), &external()).unwrap();
        assert!(text.ends_with("\nDB_PASSWORD\n"), "{text}");
        assert!(!text.contains("hunter2"));
    }

    #[test]
    fn what_no_line_can_carry_is_refused() {
        for value in ["a\nb", "a\r", &"x".repeat(70_000)] {
            let error = write(&with_values(&[("KEY", value)]), &inline()).unwrap_err();
            assert!(
                error
                    .to_string()
                    .starts_with("the value of `KEY` can't be written for `docker`: it ")
            );
            assert_eq!(error.help(), "`--for compose` can carry it");
        }
    }
}
