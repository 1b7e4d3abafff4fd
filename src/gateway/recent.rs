//! Answers that are remembered for a minute.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::edge::thread::lock;

/// How long an answer is remembered.
const LIFE: Duration = Duration::from_secs(60);

/// How many answers are remembered.
const MOST: usize = 10_000;

pub(super) struct Recent<K, V>(Mutex<HashMap<K, (V, Instant)>>);

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash, V: Clone> Recent<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<V> {
        let all = lock(&self.0);
        all.get(key).filter(|(_, since)| since.elapsed() < LIFE).map(|(value, _)| value.clone())
    }

    pub(super) fn insert(&self, key: K, value: V) {
        let mut all = lock(&self.0);
        if all.len() >= MOST {
            all.retain(|_, (_, since)| since.elapsed() < LIFE);
        }
        if all.len() < MOST {
            all.insert(key, (value, Instant::now()));
        }
    }

    pub(super) fn remove(&self, key: &K) {
        lock(&self.0).remove(key);
    }
}
