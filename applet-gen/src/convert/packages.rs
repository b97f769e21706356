//! Several packages in one run: each after those of the run that it imports.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{ConvertError, Errors, Problem};
use super::lower::java_name;
use super::{ConvertInput, Converted, check_aids, convert_files, package_name, read};
use crate::api::ApiPackage;
use crate::classfile::ClassFile;

/// A package of the run, read.
struct Unit<'a, 'b> {
    input: &'b ConvertInput<'a>,
    files: Vec<ClassFile>,
    name: String,
    /// Indexes of the packages of the run that this one names a class of.
    needs: BTreeSet<usize>,
}

/// Converts several packages that may import each other; the results stand in the order of the
/// inputs. A package of the run goes before an import of the same name.
///
/// # Errors
/// Everything that was found wrong in any of them, by file and line; packages that import each
/// other in a circle (JCVM 4.3.7.1 numbers a package's imports, which must be there first).
pub fn convert_all(inputs: &[ConvertInput<'_>]) -> Result<Vec<Converted>, Vec<ConvertError>> {
    let mut errors = Errors::default();
    let units = units(inputs, &mut errors);
    errors.check()?;
    let order = order(&units, &mut errors);
    errors.check()?;

    let mut done: BTreeMap<usize, Converted> = BTreeMap::new();
    let mut all: Vec<ConvertError> = Vec::new();
    for index in order {
        let Some(unit) = units.get(index) else {
            continue;
        };
        let missing = unit.needs.iter().find(|need| !done.contains_key(need));
        if let Some(missing) = missing.and_then(|missing| units.get(*missing)) {
            let text = format!(
                "not looked at, since it imports {}, which has errors: mend those first",
                java_name(&missing.name)
            );
            errors.at(&format!("package {}", java_name(&unit.name)), String::new());
            errors.push(None, Problem::Input(text));
            continue;
        }
        let made = unit.needs.iter().filter_map(|need| done.get(need));
        let mut imports: Vec<ApiPackage> = made.map(|made| made.exp.clone()).collect();
        // Not in the order of the inputs: a CAP doesn't depend on who else is converted.
        imports.sort_by(|a, b| a.name.cmp(&b.name));
        let same = |import: &ApiPackage| units.iter().any(|unit| unit.name == import.name);
        imports.extend(unit.input.imports.iter().filter(|i| !same(i)).cloned());
        match convert_files(unit.input, &unit.files, &unit.name, &imports) {
            Ok(converted) => {
                done.insert(index, converted);
            }
            Err(found) => all.extend(found),
        }
    }
    all.extend(errors.finish());
    if all.is_empty() {
        return Ok(done.into_values().collect());
    }
    all.sort();
    Err(all)
}

/// Reads every package; who needs whom.
fn units<'a, 'b>(inputs: &'b [ConvertInput<'a>], errors: &mut Errors) -> Vec<Unit<'a, 'b>> {
    let mut units: Vec<Unit<'a, 'b>> = Vec::new();
    for input in inputs {
        let files = read(input, errors);
        check_aids(input, errors);
        let name = package_name(&files, errors);
        errors.at(&format!("package {}", java_name(&name)), String::new());
        if units.iter().any(|unit| unit.name == name) {
            let text = "the package is given twice: put all its classes into one input";
            errors.push(None, Problem::Input(text.to_owned()));
        }
        if let Some(other) = (units.iter()).find(|unit| unit.input.package_aid == input.package_aid)
        {
            let text = format!(
                "its AID is that of package {} as well: packages of a card differ in it",
                java_name(&other.name)
            );
            errors.push(None, Problem::Input(text));
        }
        units.push(Unit {
            input,
            files,
            name,
            needs: BTreeSet::new(),
        });
    }
    let index: BTreeMap<String, usize> = (units.iter().enumerate())
        .map(|(index, unit)| (unit.name.clone(), index))
        .collect();
    for (own, unit) in units.iter_mut().enumerate() {
        let named = unit.files.iter().flat_map(|file| &file.named_classes);
        let packages = named.filter_map(|class| Some(class.rsplit_once('/')?.0));
        unit.needs = packages
            .filter_map(|package| index.get(package).copied())
            .filter(|need| *need != own)
            .collect();
    }
    units
}

/// The packages, each after those that it needs; the first of several that could be next.
fn order(units: &[Unit<'_, '_>], errors: &mut Errors) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::new();
    while order.len() < units.len() {
        let ready = units.iter().enumerate().find(|(index, unit)| {
            !order.contains(index) && unit.needs.iter().all(|need| order.contains(need))
        });
        match ready {
            Some((index, _)) => order.push(index),
            None => {
                report_circle(units, &order, errors);
                break;
            }
        }
    }
    order
}

/// Names the packages of one circle among those that are not in `order`.
fn report_circle(units: &[Unit<'_, '_>], order: &[usize], errors: &mut Errors) {
    // Each of them needs another one that is left: following that comes to a circle.
    let mut path: Vec<usize> = Vec::new();
    let mut at = (0..units.len()).find(|index| !order.contains(index));
    while let Some(index) = at {
        if let Some(start) = path.iter().position(|known| *known == index) {
            path.drain(..start);
            break;
        }
        path.push(index);
        let needs = units.get(index).map(|unit| &unit.needs);
        at = needs.and_then(|needs| needs.iter().copied().find(|need| !order.contains(need)));
    }
    let first = path.first().copied();
    let circle: Vec<String> = (path.iter().copied().chain(first))
        .filter_map(|index| units.get(index))
        .map(|unit| java_name(&unit.name))
        .collect();
    let file = circle.first().cloned().unwrap_or_default();
    errors.at(&format!("package {file}"), String::new());
    let text = format!(
        "packages import each other in a circle: {}; move what both need into a package of its own",
        circle.join(" imports ")
    );
    errors.push(None, Problem::Input(text));
}
