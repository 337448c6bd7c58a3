//! The profile of one identity server, as its TOML file says it.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::probe::{Health, Probe};
use super::protect::local_names;
use super::{ChangeRule, IamRule, ParameterType, PathPattern, Protect};

/// How one identity server reads its configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ServerProfile {
    /// The name in `iamship.toml`: `curity`.
    pub name: String,
    /// For people: "Curity Identity Server".
    pub title: String,
    /// How the files are read.
    pub format: Format,
    /// Where the files go in the image.
    pub config: ConfigFolder,
    /// How a placeholder is written.
    pub placeholder: PlaceholderSyntax,
    /// Which XML files are the server's; only for `format = "xml"`.
    #[serde(default)]
    pub xml: Option<XmlShape>,
    /// The shape of the tree: which elements are entries of lists, which order means something.
    #[serde(default)]
    pub tree: TreeShape,
    /// Paths whose values are secrets.
    #[serde(default)]
    pub secrets: Vec<SecretRule>,
    /// Paths that look secret and are not; they win over `secrets`.
    #[serde(default)]
    pub public: Vec<PathPattern>,
    /// What a parameter's name tells of its type; the first that fits wins.
    #[serde(default)]
    pub names: Vec<NameHint>,
    /// What an element's path tells of the type of the parameter in it.
    #[serde(default)]
    pub types: Vec<NameHint>,
    /// Ids that must be defined somewhere.
    #[serde(default)]
    pub references: Vec<ReferenceRule>,
    /// What clients and other entries should not be.
    #[serde(default)]
    pub iam: Vec<IamRule>,
    /// What users have a name for: list entries, by their key, and containers of which there is one.
    #[serde(default)]
    pub components: Vec<ComponentRule>,
    /// How grave changes are.
    #[serde(default)]
    pub changes: Vec<ChangeRule>,
    /// Where the owner of an application stands among its client's settings.
    #[serde(default)]
    pub owners: Vec<OwnerRule>,
    /// What it listens on.
    #[serde(default)]
    pub ports: Vec<Port>,
    /// How to see that it is up.
    #[serde(default)]
    pub health: Option<Health>,
    /// What else must answer once it is up.
    #[serde(default, rename = "probe")]
    pub probes: Vec<Probe>,
    /// How a container of it is run.
    #[serde(default)]
    pub run: Run,
    /// Which values it wants encrypted, if any.
    #[serde(default)]
    pub protect: Option<Protect>,
}

/// How the files of a bundle are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// XML with one tree for all files.
    Xml,
    /// JSON; each file is a tree of its own.
    Json,
    /// Files by their ending: `.json`, `.yaml`, `.yml` and `.toml` are each a tree of its own; of any other text only
    /// the placeholders are understood.
    Text,
}

/// Where the configuration goes in the image.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConfigFolder {
    /// Absolute path of the folder.
    pub folder: String,
    /// Owner of the files.
    pub uid: u32,
    /// Group of the files.
    pub gid: u32,
    /// Whether what the base image has in the folder is hidden (OCI's opaque whiteout).
    pub replace: bool,
    /// Whether files may lie in folders below it. Where not, `config/a/b.xml` goes to `<folder>/b.xml`.
    pub subfolders: bool,
    /// The server's own folders above `folder`, whose owner is `uid` and `gid` in the vendor's image. Layers list
    /// them, and what assets need below them: engines give folders that are not listed to root.
    #[serde(default)]
    pub folders: Vec<String>,
    /// Permission bits of `folders` (`0o755`).
    #[serde(default = "folder_mode")]
    pub folder_mode: u32,
}

fn folder_mode() -> u32 {
    0o755
}

/// How a placeholder is written: `#{NAME}`, `#{NAME | default}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PlaceholderSyntax {
    /// `#{`
    pub open: String,
    /// `}`
    pub close: String,
    /// What parts the name from its default (`|`, `:`), if there are defaults.
    #[serde(default)]
    pub default: Option<String>,
    /// Whether blanks round name and default are left out.
    #[serde(default)]
    pub trim: bool,
    /// Regular expression of names that are placeholders; another name between `open` and `close` is not one.
    /// Without it every name is.
    #[serde(default)]
    pub name: Option<String>,
    /// Whether one in an attribute's value is replaced (undocumented for Curity).
    #[serde(default)]
    pub attributes: bool,
    /// Texts that look like placeholders.
    #[serde(default)]
    pub lookalikes: Vec<Lookalike>,
}

impl PlaceholderSyntax {
    /// The expression that a whole name must fit to be a placeholder; `None` means any name.
    pub fn name_expression(&self) -> Option<regex_lite::Regex> {
        let name = self.name.as_deref()?;
        regex_lite::Regex::new(&format!("^(?:{name})$")).ok()
    }
}

/// A text that looks like a placeholder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Lookalike {
    /// Regular expression.
    pub pattern: String,
    /// What to say, as a help; without it the text is left alone silently.
    #[serde(default)]
    pub help: Option<String>,
}

/// Which XML files the server loads.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct XmlShape {
    /// The root element.
    pub root: Root,
    /// Roots that people put there by mistake.
    #[serde(default)]
    pub rejected_roots: Vec<RejectedRoot>,
}

/// The shape of the configuration's tree, in YANG's words. An array of JSON, YAML or TOML is a list of elements that
/// have its member's name: `clients/redirectUris` is every redirect URI of every client.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TreeShape {
    /// Children that make a list entry's key where no rule of `lists` fits, `["id", "name"]`: the first that an entry
    /// has. In JSON, YAML and TOML only an array's items are entries.
    pub keys: Vec<String>,
    /// The first of these that a root has names it: `["realm"]`. An array of roots is then several roots. Without it a
    /// root is named by its file. Not for XML, whose files are one tree.
    pub root_keys: Vec<String>,
    /// Lists with other keys.
    pub lists: Vec<ListRule>,
    /// Elements with a key's name in them that are single containers all the same.
    pub containers: Vec<PathPattern>,
    /// Leaves that may have many values.
    pub leaf_lists: Vec<PathPattern>,
    /// Lists and leaf-lists whose order means something.
    pub ordered: Vec<PathPattern>,
    /// Leaves where blanks at the ends mean something.
    pub preserve_space: Vec<PathPattern>,
}

/// The root element of a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Root {
    /// Local name.
    pub name: String,
    /// Namespace.
    pub namespace: String,
}

/// A root element that the server does not load.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RejectedRoot {
    /// Local name.
    pub name: String,
    /// Namespace; any when absent.
    #[serde(default)]
    pub namespace: Option<String>,
    /// How to mend it.
    pub help: String,
}

/// A keyed list.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListRule {
    /// Its entries.
    pub path: PathPattern,
    /// The children that make the key.
    pub keys: Vec<String>,
}

/// A path whose value is a secret.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRule {
    /// Which elements.
    pub path: PathPattern,
    /// For people: "a signing key".
    pub what: String,
    /// Whether all stages may have one and the same: a licence.
    #[serde(default)]
    pub shared: bool,
}

impl ServerProfile {
    /// Whether stages may have one and the same secret in all the places that use it. `used`: element paths with keys.
    pub fn may_be_shared<'p>(&self, used: impl IntoIterator<Item = &'p str>) -> bool {
        let mut used = used.into_iter().peekable();
        let fits = |path: &str| {
            let names = local_names(path);
            self.secrets.iter().any(|rule| rule.shared && rule.path.matches(&names))
        };
        used.peek().is_some() && used.all(fits)
    }
}

/// What a name or a path tells of a type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameHint {
    /// A glob over names (`*_BASE_URL`), or a path pattern in `types`.
    pub pattern: String,
    /// The type.
    #[serde(default, rename = "type")]
    pub kind: Option<ParameterType>,
    /// Whether it is secret.
    #[serde(default)]
    pub secret: Option<bool>,
}

impl NameHint {
    /// Whether a parameter's name fits the glob.
    pub fn fits_name(&self, name: &str) -> bool {
        self.pattern
            .parse::<PathPattern>()
            .is_ok_and(|pattern| pattern.matches(&[name]))
    }
}

/// Ids that must be defined somewhere.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ReferenceRule {
    /// For people: "data source".
    pub what: String,
    /// The list entries that define an id (their key is the id), or leaves whose value is one.
    pub defined_by: Vec<PathPattern>,
    /// The leaves that name one.
    pub used_by: Vec<PathPattern>,
    /// Ids that the server defines itself.
    #[serde(default)]
    pub built_in: Vec<String>,
    /// Globs over paths in the image: a file there defines an id too, its name without the ending.
    #[serde(default)]
    pub files: Vec<String>,
    /// Whether a definition that nothing names is a mistake: not where the server itself may use it.
    #[serde(default)]
    pub unused: bool,
}

/// Things that users have a name for. A change is said of the nearest one.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentRule {
    /// The entries of a list, or a container of which there is one.
    pub path: PathPattern,
    /// For people: "client".
    pub what: String,
    /// Whether a bill of materials lists it, if it is an entry of a list.
    #[serde(default = "listed")]
    pub listed: bool,
}

fn listed() -> bool {
    true
}

/// A leaf below a client that names its owner.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnerRule {
    /// The leaf.
    pub path: PathPattern,
    /// The key of the entry that holds it, where it must have one: `owner` among properties of any name.
    #[serde(default)]
    pub key: Option<String>,
}

/// A port that the server listens on.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Port {
    /// "runtime", "admin", "status".
    pub name: String,
    /// Its number.
    pub port: u16,
    /// Whether it speaks TLS.
    #[serde(default)]
    pub tls: bool,
}

/// How a folder in memory is mounted, wherever a server runs: writable by the image's own user; programs may be there,
/// as Java's libraries unpack themselves.
pub const TMPFS: &str = "rw,exec,nosuid,nodev,mode=1777";

/// How many processes and threads a server may have: Java servers have hundreds.
pub const MOST_PROCESSES: u32 = 4096;

/// How a container of the server is run, wherever it runs.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Run {
    /// Variables that it needs beside a stage's values.
    pub environment: BTreeMap<String, String>,
    /// Variables that make its log tell too much for production, and the levels at which they do.
    pub debug: BTreeMap<String, Vec<String>>,
    /// Its command, where the image's own is not meant.
    pub command: Vec<String>,
    /// Whether it runs on a read-only root file system.
    pub read_only: bool,
    /// Folders that are writable all the same, in memory.
    pub tmpfs: Vec<String>,
    /// Whether it needs the capabilities that engines give by default.
    pub capabilities: bool,
    /// MiB of memory that it gets unless a stage says otherwise.
    pub memory: u64,
    /// Seconds until it must be healthy unless a stage says otherwise.
    pub timeout: u64,
}

impl Default for Run {
    fn default() -> Self {
        Self {
            environment: BTreeMap::new(),
            debug: BTreeMap::new(),
            command: Vec::new(),
            read_only: false,
            tmpfs: Vec::new(),
            capabilities: false,
            memory: 1024,
            timeout: 120,
        }
    }
}

/// A profile that can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("server profile `{name}`: {reason}")]
pub struct InvalidProfile {
    /// Which.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
    /// Where in its text, in bytes, when that is known.
    pub range: Option<std::ops::Range<usize>>,
}
