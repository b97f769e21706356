//! The log of requests, for reports.

use serde::Serialize;
use std::collections::VecDeque;

/// One request with its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exchange {
    /// Number since the eIM was opened, from 1.
    pub number: u64,
    /// ESipa function, or the path if it is none.
    pub function: String,
    /// EID, 32 digits, where the request names it.
    pub eid: Option<String>,
    /// HTTP status of the answer; 0 if none was given.
    pub status: u16,
    /// Request body, upper-case hexadecimal.
    pub request: String,
    /// Answer body, upper-case hexadecimal.
    pub response: String,
    /// What was done, in words.
    pub text: String,
}

const KEPT: usize = 10_000;

#[derive(Default)]
pub(super) struct Log {
    entries: VecDeque<Exchange>,
    count: u64,
}

impl Log {
    pub(super) fn push(&mut self, mut exchange: Exchange) {
        self.count += 1;
        exchange.number = self.count;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(exchange);
    }

    pub(super) fn take(&mut self) -> Vec<Exchange> {
        std::mem::take(&mut self.entries).into()
    }
}
