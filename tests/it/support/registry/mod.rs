//! A registry in this process: true to the OCI distribution spec, in memory, and broken wherever a test wants it.
//!
//! It runs on threads of its own and listens on a loopback port, so a child process can use it too.

mod api;
mod auth;
mod faults;
mod server;
mod state;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use iamship::image::{Digest, Location};

pub(crate) use self::auth::Auth;
pub(crate) use self::faults::{Canned, When};

use self::faults::Faults;
use self::state::State;

/// How the registry behaves. [`TestRegistry::builder`] makes one; `start` starts it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Builder {
    referrers_api: bool,
    absolute_locations: bool,
    no_tag_deletion: bool,
    auth: Auth,
    page: Option<usize>,
}

impl Builder {
    /// Answers `GET /v2/<name>/referrers/<digest>` and sends `OCI-Subject`.
    pub(crate) fn referrers_api(mut self) -> Self {
        self.referrers_api = true;
        self
    }

    /// Upload sessions are named with scheme and host.
    pub(crate) fn absolute_locations(mut self) -> Self {
        self.absolute_locations = true;
        self
    }

    /// Refuses to delete a tag, as docker-registry 2.8 does.
    pub(crate) fn no_tag_deletion(mut self) -> Self {
        self.no_tag_deletion = true;
        self
    }

    /// Asks who is there.
    pub(crate) fn auth(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// Lists tags and referrers in pages of at most so many, with `Link`.
    pub(crate) fn page(mut self, entries: usize) -> Self {
        self.page = Some(entries);
        self
    }

    pub(crate) fn start(self) -> TestRegistry {
        TestRegistry::start_with(self)
    }
}

/// One request as it came and was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    /// `Authorization`, whole.
    pub(crate) authorization: Option<String>,
    pub(crate) user_agent: Option<String>,
    /// `None`: the connection was cut.
    pub(crate) status: Option<u16>,
    /// Bytes of the request's body.
    pub(crate) received: usize,
    /// Bytes of the answer's body.
    pub(crate) sent: usize,
    /// When it came.
    pub(crate) began: Instant,
    /// When it was answered.
    pub(crate) ended: Instant,
}

impl Request {
    /// `GET /v2/app/manifests/dev 200`
    pub(crate) fn line(&self) -> String {
        let status = self
            .status
            .map_or_else(|| "cut".to_owned(), |status| status.to_string());
        format!("{} {} {status}", self.method, self.path)
    }
}

/// What the threads of the server share with the test.
pub(crate) struct Shared {
    options: Builder,
    address: SocketAddr,
    state: Mutex<State>,
    faults: Mutex<Faults>,
    log: Mutex<Vec<Request>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What a registry held at one moment.
pub(crate) struct Snapshot(State);

/// A running registry; stops when dropped.
pub(crate) struct TestRegistry {
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

impl TestRegistry {
    /// One without authentication or the referrers API, as docker-registry 2.8 is.
    pub(crate) fn start() -> Self {
        Self::builder().start()
    }

    pub(crate) fn builder() -> Builder {
        Builder::default()
    }

    fn start_with(options: Builder) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("nonblocking");
        let shared = Arc::new(Shared {
            options,
            address: listener.local_addr().expect("address"),
            state: Mutex::default(),
            faults: Mutex::default(),
            log: Mutex::default(),
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("runtime");
        runtime.spawn(server::serve(listener, Arc::clone(&shared)));
        Self {
            shared,
            runtime: Some(runtime),
        }
    }

    /// `127.0.0.1:40123`
    pub(crate) fn address(&self) -> String {
        self.shared.address.to_string()
    }

    /// A repository here.
    pub(crate) fn location(&self, repository: &str) -> Location {
        Location::Registry {
            registry: self.address(),
            repository: repository.to_owned(),
        }
    }

    /// All requests that were answered or cut, oldest first.
    pub(crate) fn requests(&self) -> Vec<Request> {
        locked(&self.shared.log).clone()
    }

    /// [`Request::line`] of each, and the log begins anew.
    pub(crate) fn take_lines(&self) -> Vec<String> {
        std::mem::take(&mut *locked(&self.shared.log))
            .iter()
            .map(Request::line)
            .collect()
    }

    // --- faults

    /// The next `count` requests are answered so.
    pub(crate) fn fail_next(&self, count: usize, status: u16) {
        self.answer_next(count, "", Canned::status(status));
    }

    /// The next `count` requests whose `METHOD path` contains `matching` get this answer.
    pub(crate) fn answer_next(&self, count: usize, matching: &str, answer: Canned) {
        locked(&self.shared.faults).answer(count, matching, answer);
    }

    /// Lets `passing` requests through; from then on the connection is cut at every one, until [`TestRegistry::heal`].
    pub(crate) fn cut_after(&self, passing: usize, when: When) {
        locked(&self.shared.faults).cut(passing, when, usize::MAX);
    }

    /// Lets `passing` requests through and cuts the connection at the next one only.
    pub(crate) fn cut_once_after(&self, passing: usize, when: When) {
        locked(&self.shared.faults).cut(passing, when, 1);
    }

    /// As [`TestRegistry::cut_once_after`]; `act` is done before the connection is cut, to kill who is at its other end.
    pub(crate) fn act_after(&self, passing: usize, when: When, act: impl Fn() + Send + Sync + 'static) {
        let mut faults = locked(&self.shared.faults);
        faults.cut(passing, when, 1);
        faults.act(Arc::new(act));
    }

    /// The body of the next answer to `METHOD path` containing `matching` ends after `bytes`, and the connection with it.
    pub(crate) fn truncate_next(&self, matching: &str, bytes: usize) {
        locked(&self.shared.faults).truncate(matching, bytes);
    }

    /// Answers come without this header.
    pub(crate) fn strip_header(&self, name: &'static str) {
        locked(&self.shared.faults).strip(name);
    }

    /// Every answer takes so long.
    pub(crate) fn slow(&self, delay: Duration) {
        locked(&self.shared.faults).slow(delay);
    }

    /// No more faults. (What was corrupted stays so.)
    pub(crate) fn heal(&self) {
        *locked(&self.shared.faults) = Faults::default();
    }

    // --- content, without a request

    /// Changes one bit of a blob, and leaves its name.
    pub(crate) fn corrupt_blob(&self, digest: &Digest) {
        locked(&self.shared.state).corrupt(digest);
    }

    /// All that is stored, to come back to.
    pub(crate) fn snapshot(&self) -> Snapshot {
        Snapshot(locked(&self.shared.state).clone())
    }

    /// Back to a snapshot; the log begins anew, and no fault is left.
    pub(crate) fn restore(&self, snapshot: &Snapshot) {
        self.heal();
        *locked(&self.shared.state) = snapshot.0.clone();
        locked(&self.shared.log).clear();
    }

    /// Stores a blob.
    pub(crate) fn put_blob(&self, repository: &str, bytes: impl Into<bytes::Bytes>) {
        locked(&self.shared.state).put_blob(repository, bytes.into());
    }

    /// A blob's bytes.
    pub(crate) fn blob(&self, repository: &str, digest: &Digest) -> Option<bytes::Bytes> {
        locked(&self.shared.state).blob(repository, &digest.to_string())
    }

    /// Takes a tag away.
    pub(crate) fn delete(&self, repository: &str, reference: &str) {
        locked(&self.shared.state).delete(repository, reference);
    }

    /// Stores anything as a manifest, without a check.
    pub(crate) fn put_manifest(&self, repository: &str, reference: &str, media_type: &str, bytes: &[u8]) {
        locked(&self.shared.state).put_manifest(repository, reference, media_type, bytes.to_vec().into());
    }

    /// What is stored under a tag or digest.
    pub(crate) fn manifest(&self, repository: &str, reference: &str) -> Option<bytes::Bytes> {
        let found = locked(&self.shared.state).manifest(repository, reference);
        found.map(|stored| stored.bytes)
    }

    /// The tags, sorted.
    pub(crate) fn tags(&self, repository: &str) -> Vec<String> {
        locked(&self.shared.state).tags(repository).unwrap_or_default()
    }

    /// Tokens that were given out are worth nothing any more.
    pub(crate) fn revoke_tokens(&self) {
        auth::revoke(&self.shared);
    }

    /// How many blobs a repository has.
    pub(crate) fn blob_count(&self, repository: &str) -> usize {
        locked(&self.shared.state).blob_count(repository)
    }

    /// Every manifest and blob, for a search for what must not be there.
    pub(crate) fn everything(&self) -> Vec<bytes::Bytes> {
        locked(&self.shared.state).everything()
    }
}

impl Drop for TestRegistry {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
