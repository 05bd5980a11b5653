//! Lists of changes that are not committed yet: the part for one transaction, and coalescing.

use std::collections::HashSet;

use super::write_queue::WriteOp;
use super::{DeliveryReport, SpoolEntry};

/// The most bytes of one transaction, so that the write-ahead log keeps its bound.
const MAX_TRANSACTION_BYTES: usize = 128 * 1024;

/// The most entries that one transaction deletes while the volume is nearly full.
const LOW_SPACE_DELETE_ROWS: usize = 16;

/// How many of the changes fit into one transaction.
pub(super) fn batch_len(ops: &[WriteOp]) -> usize {
    let mut bytes = 0;
    let fitting = ops.iter().take_while(|op| {
        bytes += op.bytes();
        bytes <= MAX_TRANSACTION_BYTES
    });
    fitting.count().max(1).min(ops.len())
}

/// Splits an acknowledgement into small ones.
pub(super) fn split_acknowledgement(op: WriteOp) -> Vec<WriteOp> {
    let WriteOp::Acknowledge(DeliveryReport { delivered, deferred, dead_lettered }) = op else {
        return vec![op];
    };
    let chunk = delivered
        .chunks(LOW_SPACE_DELETE_ROWS)
        .map(|chunk| DeliveryReport { delivered: chunk.to_vec(), ..DeliveryReport::default() });
    let rest = DeliveryReport { delivered: Vec::new(), deferred, dead_lettered };
    chunk.chain([rest]).map(WriteOp::Acknowledge).collect()
}

/// Keeps only the latest change of each entry and key, so that pending changes do not outnumber entries.
pub(super) fn coalesce(ops: &mut Vec<WriteOp>) {
    let (mut seen_ids, mut seen_names) = (HashSet::new(), HashSet::new());
    let mut latest: Vec<WriteOp> = std::mem::take(ops)
        .into_iter()
        .rev()
        .filter(|op| match op {
            WriteOp::Put(SpoolEntry { id, .. }, _) | WriteOp::Remove(id) => seen_ids.insert(*id),
            WriteOp::SetValue(name, _) => seen_names.insert(*name),
            WriteOp::Acknowledge(_) | WriteOp::RequeueDeferred => true,
        })
        .collect();
    latest.reverse();
    *ops = latest;
}
