//! How a claim avoids what was finished before it.
//!
//! The index of ready jobs is ordered by rank and id, and jobs leave it at the front. On PostgreSQL what has left is still
//! walked over until a vacuum may take it away, and while anybody holds an old snapshot none may: a claim that starts at the
//! front gets slower with every job that was ever finished. So a worker remembers, for each rank that it has seen, the id
//! below which nothing is left, and its claims skip that stretch.
//!
//! Ids are drawn before they are committed, so that a smaller one may turn up after a greater one: a mark follows only
//! to where the ids stood some time ago ([`LAG_MS`]), and now and then everything is walked ([`Marks::forget`]). What was
//! scheduled, released or taken over stands in another index and is not concerned.

use std::collections::BTreeMap;

/// An enqueueing statement that takes longer than this from drawing its ids to its commit may have its jobs found only by the
/// next walk over everything.
const LAG_MS: i64 = 50;

/// More ranks than this are not worth a mark each.
const MOST: usize = 8;

/// What one claim saw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sight {
    /// For each mark that went in, in the same order, the least id left at or above it.
    pub(crate) firsts: Vec<Option<i64>>,
    /// The last id that was drawn.
    pub(crate) last_id: i64,
}

/// The marks of one worker.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    /// By rank, the id below which nothing is left.
    below: BTreeMap<i16, i64>,
    /// The last id that had been drawn some time ago, and when.
    pending: Option<(i64, i64)>,
    /// Ids up to this one have been committed, or are late.
    settled: i64,
}

/// A stretch of the index, from a (rank, id) to another, without the latter.
pub(crate) type Stretch = ((i16, i64), (i16, i64));

impl Marks {
    /// The marks as ranks and ids.
    pub(crate) fn as_arrays(&self) -> (Vec<i16>, Vec<i64>) {
        self.below.iter().unzip()
    }

    /// What is left to walk, in order.
    pub(crate) fn stretches(&self) -> Vec<Stretch> {
        let mut stretches = Vec::with_capacity(self.below.len() + 1);
        let mut from = (i16::MIN, i64::MIN);
        for (&rank, &id) in &self.below {
            if from < (rank, i64::MIN) {
                stretches.push((from, (rank, i64::MIN)));
            }
            from = (rank, id);
        }
        stretches.push((from, (i16::MAX, i64::MAX)));
        stretches
    }

    /// Takes in what a claim saw and which ranks it claimed.
    pub(crate) fn learn(&mut self, sight: &Sight, ranks: impl Iterator<Item = i16>, now_ms: i64) {
        for ((_, below), first) in self.below.iter_mut().zip(&sight.firsts) {
            let reached = first.map_or(self.settled + 1, |first| first.min(self.settled + 1));
            *below = reached.max(*below);
        }
        for rank in ranks {
            if self.below.len() < MOST {
                self.below.entry(rank).or_insert(i64::MIN);
            }
        }
        match self.pending {
            Some((_, since)) if now_ms < since + LAG_MS => {}
            Some((last_id, _)) => {
                self.settled = last_id;
                self.pending = Some((sight.last_id, now_ms));
            }
            None => self.pending = Some((sight.last_id, now_ms)),
        }
    }

    /// Walks over everything the next time.
    pub(crate) fn forget(&mut self) {
        self.below.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_follows_what_is_left_but_not_what_is_new() {
        let mut marks = Marks::default();
        assert_eq!(marks.stretches(), [((i16::MIN, i64::MIN), (i16::MAX, i64::MAX))]);
        marks.learn(&Sight { firsts: vec![], last_id: 100 }, [0, 0].into_iter(), 0);
        // Nothing is settled yet: a smaller id may still be on its way.
        marks.learn(&Sight { firsts: vec![Some(50)], last_id: 200 }, [].into_iter(), 10);
        assert_eq!(marks.as_arrays(), (vec![0], vec![1]));
        marks.learn(&Sight { firsts: vec![Some(60)], last_id: 300 }, [].into_iter(), LAG_MS);
        marks.learn(&Sight { firsts: vec![Some(70)], last_id: 300 }, [].into_iter(), LAG_MS + 1);
        assert_eq!(marks.as_arrays(), (vec![0], vec![70]));
        marks.learn(&Sight { firsts: vec![Some(150)], last_id: 300 }, [].into_iter(), LAG_MS + 2);
        assert_eq!(marks.as_arrays(), (vec![0], vec![101]));
        marks.learn(&Sight { firsts: vec![None], last_id: 300 }, [-5].into_iter(), LAG_MS + 3);
        assert_eq!(
            marks.stretches(),
            [((i16::MIN, i64::MIN), (-5, i64::MIN)), ((-5, i64::MIN), (0, i64::MIN)), ((0, 101), (i16::MAX, i64::MAX))]
        );
        marks.forget();
        assert_eq!(marks.stretches().len(), 1);
    }
}
