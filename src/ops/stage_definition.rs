//! What a stage's containers are run with beside their values: a test in an engine is one of that, too.

use crate::image::{Digest, Hasher};
use crate::profile::ServerProfile;
use crate::project::Stage;

/// A digest of it: the environment that profile and stage add, the memory, the command, the file systems, the
/// capabilities, and how secrets are protected. Values are not in it, nor what suites ask.
///
/// The encoding is fixed: fields with their length (8 bytes, big-endian) before them, lists with their length as a field
/// of its own.
pub(super) fn stage_definition(server: &ServerProfile, stage: &Stage) -> Digest {
    let mut fields = Fields(Hasher::default());
    fields.text("iamship.stage-definition/v1");
    let environment = stage.environment(server);
    fields.list(
        environment
            .iter()
            .flat_map(|(name, text)| [name.as_str(), text.as_str()]),
    );
    fields.text(&stage.memory(server).to_string());
    fields.list(server.run.command.iter().map(String::as_str));
    fields.text(&server.run.read_only.to_string());
    fields.list(server.run.tmpfs.iter().map(String::as_str));
    fields.text(&server.run.capabilities.to_string());
    if let Some(settings) = &stage.protect {
        fields.text("protected");
        fields.list(settings.command(server.protect.as_ref()).iter().map(String::as_str));
    }
    fields.0.finish()
}

struct Fields(Hasher);

impl Fields {
    fn text(&mut self, text: &str) {
        self.0.update(&(text.len() as u64).to_be_bytes());
        self.0.update(text.as_bytes());
    }

    fn list<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        let texts: Vec<_> = texts.collect();
        self.text(&texts.len().to_string());
        for text in texts {
            self.text(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::project::{PROJECT_FILE, Project};

    fn of(run: &str, change: impl FnOnce(&mut ServerProfile)) -> Digest {
        let folder = tempfile::tempdir().expect("a folder");
        let root = camino::Utf8Path::from_path(folder.path()).expect("UTF-8");
        let text = format!(
            "[project]\nname = \"shop\"\nserver = \"curity\"\n[image]\nbase = \"example.com/base:1\"\n\
             [config]\nfiles = [\"config/*\"]\n[[stage]]\nname = \"dev\"\n{run}\n"
        );
        std::fs::write(root.join(PROJECT_FILE), text).expect("written");
        let mut project = Project::load(root).unwrap_or_else(|problems| panic!("{problems:#?}"));
        change(&mut project.server);
        stage_definition(&project.server, &project.stages[0])
    }

    #[test]
    fn whatever_a_container_gets_shows_and_what_is_said_twice_does_not() {
        let plain = || of("", |_| {});
        let all = [
            plain(),
            of("run = { memory = \"7MiB\" }", |_| {}),
            of("run = { environment = { A = \"BC\" } }", |_| {}),
            of("run = { environment = { AB = \"C\" } }", |_| {}),
            of("protect = { command = [\"/bin/seal\"] }", |_| {}),
            of("protect = { command = [\"/bin/seal\", \"-\"] }", |_| {}),
            of("", |server| server.run.read_only = !server.run.read_only),
            of("", |server| server.run.capabilities = !server.run.capabilities),
            of("", |server| server.run.command.push("x".to_owned())),
            of("", |server| server.run.tmpfs.push("x".to_owned())),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[..index].contains(one), "{index}");
        }
        assert_eq!(plain(), of("test = { timeout = \"1s\" }", |_| {}));
        let same = |server: &mut ServerProfile| drop(server.run.environment.insert("A".to_owned(), "BC".to_owned()));
        assert_eq!(all[2], of("run = { environment = { A = \"BC\" } }", same));
    }
}
