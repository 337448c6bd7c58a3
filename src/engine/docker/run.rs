//! A container from start to end: bytes in on stdin, bytes out on stdout.

use bollard::container::LogOutput;
use bollard::errors::Error;
use bollard::models::HostConfigLogConfig;
use bollard::query_parameters::{AttachContainerOptionsBuilder, WaitContainerOptions};
use futures::future::{Either, select};
use futures::{StreamExt as _, TryStreamExt as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use tokio::io::AsyncWriteExt as _;
use zeroize::Zeroizing;

use super::failure::told;
use super::{Docker, spec, too_slow, within};
use crate::engine::{ContainerId, ContainerSpec, EngineError, Finished};

const ACT: &str = "run the command in the image";
/// How much it may write to stdout.
const MAX_STDOUT: usize = 1 << 20;
/// How much of stderr is kept.
const MAX_STDERR: usize = 64 << 10;

impl Docker {
    pub(super) async fn run_to_end(
        &self,
        spec: &ContainerSpec,
        stdin: SecretSlice<u8>,
    ) -> Result<Finished, EngineError> {
        let mut body = spec::body(spec, &self.owner)?;
        body.open_stdin = Some(true);
        body.stdin_once = Some(true);
        body.attach_stdin = Some(true);
        body.attach_stdout = Some(true);
        body.attach_stderr = Some(true);
        if let Some(host) = &mut body.host_config {
            // What it writes is as secret as what it reads: the engine keeps no copy.
            host.log_config = Some(HostConfigLogConfig {
                typ: Some("none".to_owned()),
                config: None,
            });
        }
        let id = self.make_container(body, spec).await?;
        let limit = self.patience.run;
        let finished = tokio::time::timeout(limit, self.attended(&id, stdin)).await;
        let removed = self.remove_container(&id).await;
        let finished = finished.unwrap_or_else(|_| Err(too_slow(ACT, limit)))?;
        removed.map(|()| finished)
    }

    /// Started, fed, listened to, waited for.
    async fn attended(&self, id: &ContainerId, stdin: SecretSlice<u8>) -> Result<Finished, EngineError> {
        let options = AttachContainerOptionsBuilder::new()
            .stream(true)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .build();
        let attached = self.call(ACT, self.api.attach_container(&id.0, Some(options))).await?;
        self.start_container(id).await?;
        let (mut input, mut output) = (attached.input, attached.output);
        let feed = std::pin::pin!(async move {
            // One that does not read to the end is free not to.
            let _ = input.write_all(stdin.expose_secret()).await;
            let _ = input.shutdown().await;
            // Dropped, it would hang up the other direction too.
            input
        });
        // All the room at once: growing would leave copies behind.
        let mut stdout = Zeroizing::new(Vec::with_capacity(MAX_STDOUT));
        let mut stderr = Zeroizing::new(Vec::with_capacity(MAX_STDERR));
        let listen = std::pin::pin!(async {
            while let Some(piece) = output.try_next().await? {
                let (kept, room) = match &piece {
                    LogOutput::StdErr { .. } => (&mut stderr, MAX_STDERR),
                    _ => (&mut stdout, MAX_STDOUT),
                };
                let text = piece.as_ref();
                let fits = text.len().min(room - kept.len());
                kept.extend_from_slice(&text[..fits]);
                if fits < text.len() && room == MAX_STDOUT {
                    return Ok(false);
                }
            }
            Ok(true)
        });
        let listened = match select(listen, feed).await {
            Either::Left((listened, _)) => listened,
            Either::Right((_input, listen)) => listen.await,
        };
        let listened = listened.map_err(|error| told(&self.shared.name, ACT, error));
        if !listened? {
            return Err(EngineError::BrokenOff {
                act: ACT,
                because: format!("it wrote more than {} MiB", MAX_STDOUT >> 20),
            });
        }
        Ok(Finished {
            code: self.wait(id).await?,
            stdout: SecretSlice::from(std::mem::take(&mut *stdout)),
            stderr: SecretSlice::from(std::mem::take(&mut *stderr)),
        })
    }

    async fn wait(&self, id: &ContainerId) -> Result<i64, EngineError> {
        let mut answers = std::pin::pin!(self.api.wait_container(&id.0, None::<WaitContainerOptions>));
        let answer = async {
            match answers.next().await {
                Some(Ok(answer)) => Ok(Some(answer.status_code)),
                // A code other than 0 is an error to bollard.
                Some(Err(Error::DockerContainerWaitError { code, .. })) => Ok(Some(code)),
                Some(Err(error)) => Err(error),
                None => Ok(None),
            }
        };
        let code = within(&self.shared.name, ACT, self.patience.run, answer).await?;
        code.ok_or_else(|| super::silent(ACT, "exit code"))
    }
}
