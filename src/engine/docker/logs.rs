//! What a container wrote: the newest of it, within bounds.

use bollard::query_parameters::LogsOptionsBuilder;
use futures::TryStreamExt as _;

use super::failure::told;
use super::{Docker, too_slow};
use crate::engine::{ContainerId, EngineError, LogBounds};

const ACT: &str = "give the log";

impl Docker {
    pub(super) async fn read_logs(&self, id: &ContainerId, bounds: LogBounds) -> Result<Vec<u8>, EngineError> {
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .tail(&bounds.lines.to_string())
            .build();
        let mut log = Vec::new();
        let mut pieces = std::pin::pin!(self.api.logs(&id.0, Some(options)));
        let reading = async {
            while let Some(piece) = pieces.try_next().await? {
                log.extend_from_slice(piece.as_ref());
                // Trimmed now and then, so that each byte moves a few times at most.
                if log.len() > bounds.bytes.saturating_mul(2) + 1 {
                    log.drain(..log.len() - bounds.bytes - 1);
                }
            }
            Ok(())
        };
        let end = tokio::time::timeout(bounds.within, reading).await;
        match end {
            Ok(Err(error)) if log.is_empty() => return Err(told(&self.shared.name, ACT, error)),
            Err(_) if log.is_empty() => return Err(too_slow(ACT, bounds.within)),
            // Some of it is better than nothing: it is read by people, to see what went wrong.
            _ => {}
        }
        Ok(newest(log, bounds))
    }
}

/// The last lines, whole ones, as many as fit.
fn newest(mut log: Vec<u8>, bounds: LogBounds) -> Vec<u8> {
    let Some(cut) = log.len().checked_sub(bounds.bytes).filter(|cut| *cut > 0) else {
        return log;
    };
    let rest = log.split_off(cut);
    let begun = match log.last() {
        Some(b'\n') => 0,
        _ => rest.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1),
    };
    // A line that is longer than all there is room for is cut.
    if begun == rest.len() {
        rest
    } else {
        rest[begun..].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest_of(log: &str, bytes: usize) -> String {
        let bounds = LogBounds {
            lines: 10,
            bytes,
            within: std::time::Duration::ZERO,
        };
        String::from_utf8(newest(log.as_bytes().to_vec(), bounds)).expect("UTF-8")
    }

    #[test]
    fn whole_lines_from_the_end() {
        assert_eq!(newest_of("one\ntwo\nthree\n", 14), "one\ntwo\nthree\n");
        assert_eq!(newest_of("one\ntwo\nthree\n", 12), "two\nthree\n");
        assert_eq!(newest_of("one\ntwo\nthree\n", 10), "two\nthree\n");
        assert_eq!(newest_of("one\ntwo\nthree\n", 8), "three\n");
        // A line that is longer than all that is wanted is cut.
        assert_eq!(newest_of("one\ntwo\nthree\n", 4), "ree\n");
        assert_eq!(newest_of("one\n", 0), "");
    }
}
