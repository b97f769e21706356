//! The constant pool: which symbols, in which order.

use std::collections::BTreeMap;

use super::error::Problem;
use super::ir::{Body, Symbol};

/// Index of every symbol.
///
/// Instance fields come first, those with the most uses in front: their instructions have forms
/// with a one-byte index. The rest follows by kind, class names and declaration, classes last, so
/// that index 0 is never a caught class (JCVM 6.9.1 says `finally` with it).
#[derive(Debug, Clone, Default)]
pub(crate) struct Pool {
    pub(crate) symbols: Vec<Symbol>,
    index: BTreeMap<Symbol, u16>,
}

impl Pool {
    /// The pool for these bodies.
    pub(crate) fn new<'a>(bodies: impl IntoIterator<Item = &'a Body>) -> Result<Pool, Problem> {
        let mut uses: BTreeMap<Symbol, usize> = BTreeMap::new();
        let mut caught = Vec::new();
        for body in bodies {
            for symbol in body.instructions.iter().filter_map(|ins| ins.op.symbol()) {
                *uses.entry(symbol).or_default() += 1;
            }
            for class in body.handlers.iter().filter_map(|handler| handler.class) {
                *uses.entry(Symbol::Class(class)).or_default() += 1;
                caught.push(Symbol::Class(class));
            }
        }
        let mut symbols: Vec<(Symbol, usize)> = uses.into_iter().collect();
        symbols.sort_by_key(|(symbol, uses)| match symbol {
            Symbol::InstanceField(_) => usize::MAX - uses,
            _ => usize::MAX,
        });
        let mut symbols: Vec<Symbol> = symbols.into_iter().map(|(symbol, _)| symbol).collect();
        if symbols.len() >= 0xFFFF {
            return Err(Problem::TooMany {
                what: "constants of a package".to_owned(),
                value: symbols.len(),
                limit: 0xFFFF,
                clause: "6.7",
            });
        }
        // A handler for the class at index 0 would catch everything (JCVM 6.9.1).
        if let Some(first) = symbols
            .first()
            .copied()
            .filter(|first| caught.contains(first))
        {
            symbols.insert(0, first);
        }
        let index = symbols
            .iter()
            .enumerate()
            .map(|(index, symbol)| (*symbol, index as u16))
            .collect();
        Ok(Pool { symbols, index })
    }

    /// The symbol's index. Symbols that no body had have none; they get 0xFFFF, which no
    /// instruction that is emitted ever holds.
    pub(crate) fn index(&self, symbol: Symbol) -> u16 {
        self.index.get(&symbol).copied().unwrap_or(u16::MAX)
    }
}
