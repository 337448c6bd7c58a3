//! The contract of a bundle: every parameter with its type, secrecy, default and places.

use std::collections::HashMap;

use crate::bundle::{Bundle, Use};
use crate::diagnostic::{Code, Diagnostic};
use crate::profile::ParameterName;
use crate::project::{ParameterSettings, Project};
use crate::values::{self, Contract, ContractParameter, Extent, Inference, Override, Place};

/// What a project's bundle asks for.
///
/// # Errors
/// A pattern of the server profile that is none (`profile-invalid`).
pub fn contract(project: &Project, bundle: &Bundle) -> Result<Contract, Vec<Diagnostic>> {
    let inference = Inference::new(&project.server).map_err(|error| {
        let message = format!("server profile `{}`: {error}", project.server.name);
        vec![Diagnostic::new(Code::ProfileInvalid, message)]
    })?;
    let parameters = bundle.parameters().iter();
    Ok(Contract {
        parameters: parameters
            .map(|(name, uses)| parameter(bundle, &inference, name, uses, project.parameters.get(name)))
            .collect(),
    })
}

fn parameter(
    bundle: &Bundle,
    inference: &Inference,
    name: &ParameterName,
    uses: &[Use],
    settings: Option<&ParameterSettings>,
) -> ContractParameter {
    // Only whole values tell, and a hundred thousand clients use a parameter at one and the same path.
    let whole = uses.iter().filter(|place| extent(bundle, place) == Extent::Whole);
    let first: HashMap<Option<u32>, &Use> = whole.map(|place| (bundle.path_number(place), place)).collect();
    let paths: Vec<Vec<&str>> = first.into_values().map(|place| bundle.local_path(place)).collect();
    let extent = Extent::Whole;
    let places = paths.iter().map(|path| values::Use { path, extent });
    let said = settings.map_or_else(Override::default, |settings| Override {
        kind: settings.kind,
        secret: settings.secret,
    });
    let inferred = inference.infer(name, places, said);
    let defaults = uses.iter().all(|place| place.default.is_some());
    ContractParameter {
        name: name.clone(),
        kind: inferred.kind,
        secret: inferred.secret,
        may_be_empty: settings.is_some_and(|settings| settings.may_be_empty),
        default: uses
            .first()
            .filter(|_| defaults)
            .and_then(|place| bundle.default(place))
            .map(Into::into),
        uses: uses.len() as u64,
        used: uses
            .iter()
            .take(Contract::PLACES)
            .map(|place| used(bundle, place))
            .collect(),
    }
}

/// A placeholder is a whole value when nothing but blanks stands beside it in its element.
fn extent(bundle: &Bundle, place: &Use) -> Extent {
    match bundle.node(place) {
        Some(node) if node.written().trim().len() == place.bytes().len() => Extent::Whole,
        _ => Extent::Piece,
    }
}

fn used(bundle: &Bundle, place: &Use) -> Place {
    let span = bundle.span(place);
    let position = span.position();
    Place {
        file: span.source.path().to_string(),
        line: position.line as u64,
        column: position.column as u64,
        path: bundle.path(place),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::fixture::Fixture;
    use crate::diagnostic::Source;
    use crate::profile::ParameterType;

    const FILE: &str = r##"<config xmlns="http://tail-f.com/ns/config/1.0">
  <environments><environment><base-url>#{RUNTIME_BASE_URL}</base-url></environment></environments>
  <facilities><data-sources><data-source><id>d</id>
    <jdbc><password> #{DB_ACCESS} </password><connection-string>jdbc:x://#{DB_HOST | db}/#{DB_HOST | db}</connection-string></jdbc>
  </data-source></data-sources></facilities>
  <x>#{MIXED | a}</x><y>#{MIXED}</y>
</config>"##;

    #[test]
    fn parameters_come_with_types_defaults_and_places() {
        let mut project = Fixture::new(&[], &[("dev", "")]).project;
        let settings = ParameterSettings {
            may_be_empty: true,
            ..ParameterSettings::default()
        };
        project.parameters.insert("MIXED".parse().expect("name"), settings);
        let (bundle, problems) = Bundle::read(vec![Source::new("config/a.xml", FILE)], &project.server);
        assert_eq!(problems, []);
        let contract = contract(&project, &bundle).expect("contract");
        let told: Vec<_> = contract
            .parameters
            .iter()
            .map(|p| (p.name.as_str(), p.kind, p.secret, p.default.as_deref(), p.uses))
            .collect();
        assert_eq!(
            told,
            [
                ("DB_ACCESS", ParameterType::Text, true, None, 1),
                ("DB_HOST", ParameterType::Host, false, Some("db"), 2),
                ("MIXED", ParameterType::Text, false, None, 2),
                ("RUNTIME_BASE_URL", ParameterType::Url, false, None, 1),
            ]
        );
        assert!(contract.parameters[2].may_be_empty);
        let place = &contract.parameters[0].used[0];
        assert_eq!((place.file.as_str(), place.line, place.column), ("config/a.xml", 4, 22));
        assert!(place.path.ends_with("/jdbc/password"), "{}", place.path);
    }
}
