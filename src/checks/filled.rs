//! What an element holds in one stage.

use super::view::View;
use super::{Context, StageInput};
use crate::bundle::Node;

/// An element's value with a stage's values in it. `None` where one is missing, or must not be shown.
pub(super) fn filled(context: &Context<'_>, node: &Node<'_>, stage: &StageInput) -> Option<String> {
    let template = context.bundle.template(&node.value()).ok()?;
    let view = View::of(context);
    let hidden = |name| stage.values.get(name).is_some_and(|value| view.is_hidden(name, value));
    if template.parameters().any(|(name, _)| hidden(name)) {
        return None;
    }
    let given = |name: &_| stage.values.get(name).map(|value| value.expose());
    template.fill(given).ok()
}
