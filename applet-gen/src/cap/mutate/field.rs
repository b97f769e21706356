//! One field of one component is changed.

use serde_json::Value;

use crate::cap::Cap;
use applet_model::machine::random::Random;

/// Names of what a reference may be: another name of the same group is another kind of reference.
const KINDS: &[&[&str]] = &[
    &["InstanceField", "VirtualMethod", "SuperMethod"],
    &["StaticField", "StaticMethod"],
];

/// What was changed, and the CAP; `None` if the draw leads to nothing that a CAP can hold.
pub(super) fn change(tree: &Value, random: &mut Random) -> Option<(String, Cap)> {
    let mut tree = tree.clone();
    let mut path = String::new();
    let mut place = &mut tree;
    loop {
        let size = match &*place {
            Value::Object(fields) => fields.len(),
            Value::Array(items) => items.len(),
            _ => 0,
        };
        if size == 0 {
            break;
        }
        if let Value::Array(_) = place
            && random.below(12) == 0
        {
            break;
        }
        if renamed(place, random) {
            path.push_str(" as another kind");
            return finish(path, tree);
        }
        let index = random.below(size);
        place = match place {
            Value::Object(fields) => {
                let (name, child) = fields.iter_mut().nth(index)?;
                path.push_str(&format!("/{name}"));
                child
            }
            Value::Array(items) => {
                path.push_str(&format!("/{index}"));
                items.get_mut(index)?
            }
            _ => return None,
        };
    }
    let what = leaf(place, random)?;
    finish(format!("{path}: {what}"), tree)
}

fn finish(change: String, tree: Value) -> Option<(String, Cap)> {
    let lies = change.starts_with("/directory");
    let mut cap: Cap = serde_json::from_value(tree).ok()?;
    if !lies {
        cap.directory = cap.compute_directory().ok()?;
    }
    Some((change, cap))
}

/// Makes a reference one of another kind, now and then.
fn renamed(place: &mut Value, random: &mut Random) -> bool {
    let Value::Object(fields) = place else {
        return false;
    };
    let mut names = fields.keys().cloned();
    let (Some(name), None) = (names.next(), names.next()) else {
        return false;
    };
    let group = KINDS.iter().find(|group| group.contains(&name.as_str()));
    let Some(group) = group.filter(|_| random.below(4) == 0) else {
        return false;
    };
    let other = group.get(random.below(group.len())).copied().unwrap_or("");
    let Some(content) = fields.remove(&name) else {
        return false;
    };
    fields.insert(other.to_owned(), content);
    other != name
}

fn leaf(place: &mut Value, random: &mut Random) -> Option<String> {
    match place {
        Value::Bool(on) => {
            *on = !*on;
            Some(format!("{on}"))
        }
        Value::Number(number) => {
            let old = number.as_u64()?;
            let new = match random.below(9) {
                0 => old.wrapping_add(1),
                1 => old.checked_sub(1)?,
                2 => old ^ (1 << random.below(8)),
                3 => 0,
                4 => 0xFF,
                5 => 0xFFFF,
                6 => u64::from(random.byte() % 16),
                7 => u64::from(random.byte()) << 8 | u64::from(random.byte()),
                _ => u64::from(random.byte()),
            };
            *place = Value::from(new);
            (new != old).then(|| format!("{old} to {new}"))
        }
        Value::Array(items) if !items.is_empty() => {
            let index = random.below(items.len());
            match random.below(3) {
                0 => {
                    items.remove(index);
                    Some(format!("without item {index}"))
                }
                1 => {
                    let item = items.get(index)?.clone();
                    items.insert(index, item);
                    Some(format!("item {index} twice"))
                }
                _ => {
                    let other = random.below(items.len());
                    items.swap(index, other);
                    (index != other).then(|| format!("items {index} and {other} swapped"))
                }
            }
        }
        Value::Array(items) => {
            items.push(Value::from(random.byte()));
            Some("an item more".to_owned())
        }
        // An optional component that is not there, a name.
        _ => None,
    }
}
