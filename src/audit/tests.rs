//! Call entries and aggregates: exact in number under concurrency.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;

use super::aggregate::{AggregateKey, Aggregator};
use super::*;
use crate::state::{DeliveryReport, SpoolEntry};
use crate::vocab::{CallId, ConnectionId, UserId};

const NOON_MS: u64 = 1_795_435_200_000;

/// A spool in memory that fails on demand.
#[derive(Debug, Default)]
struct MemorySpool(Mutex<Vec<(Stage, EntryDocument)>>, AtomicBool);

impl MemorySpool {
    fn entries(&self) -> Vec<(Stage, EntryDocument)> {
        self.0.lock().unwrap().clone()
    }
}

impl Spool for MemorySpool {
    fn put(&self, entry: SpoolEntry, stage: Stage) -> CommitTicket {
        if self.1.load(Ordering::SeqCst) {
            return CommitTicket::writer_gone();
        }
        self.0.lock().unwrap().push((stage, serde_json::from_str(&entry.body).unwrap()));
        CommitTicket::not_required()
    }

    fn put_in_background(&self, entries: Vec<(SpoolEntry, Stage)>) {
        entries.into_iter().for_each(|(entry, stage)| drop(self.put(entry, stage)));
    }

    fn remove(&self, _id: Uuid) {}

    fn peek_oldest(&self, _limit: usize) -> BoxFuture<'_, Vec<SpoolEntry>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn acknowledge(&self, _report: DeliveryReport) -> BoxFuture<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    fn requeue_deferred(&self) {}

    fn bytes_used(&self) -> u64 {
        0
    }

    fn fault(&self) -> Option<StorageFault> {
        self.1.load(Ordering::SeqCst).then_some(StorageFault::Unwritable)
    }
}

fn trail() -> (Arc<AuditTrail>, Arc<MemorySpool>, Clock) {
    let (memory, clock) = (Arc::new(MemorySpool::default()), Clock::manual_at(NOON_MS));
    let spool = Arc::clone(&memory) as Arc<dyn Spool>;
    (AuditTrail::new(spool, 1, clock.clone(), Box::new(|| true)), memory, clock)
}

fn entry(audit: &Arc<AuditTrail>, peer: &str) -> Arc<RequestEntry> {
    audit.open(Uuid::now_v7(), peer.parse().unwrap(), Instant::now())
}

fn identified_entry(audit: &Arc<AuditTrail>, method: &str) -> Arc<RequestEntry> {
    let entry = entry(audit, "203.0.113.9");
    entry.identify(ConnectionId(3), UserId(2));
    entry.describe(RequestInfo {
        method: Some(method.to_owned()),
        is_request: true,
        ..RequestInfo::default()
    });
    entry
}

#[tokio::test]
async fn a_call_is_recorded_before_and_after_and_not_aggregated_as_well() {
    let (audit, memory, _) = trail();
    let entry = identified_entry(&audit, "tools/call");
    let info = CallInfo {
        tool: "create_record",
        model: Some("res.partner".to_owned()),
        call_id: Some(CallId::random()),
        request: Some(r#"{"values":{"password":"hunter2"}}"#.to_owned()),
        ..CallInfo::default()
    };
    let call = CallEntry::open(&entry, info).unwrap().committed().await.unwrap();
    assert!(CallEntry::open(&entry, CallInfo::default()).is_none(), "a second call entry");
    let [(Stage::Open, opened)] = &memory.entries()[..] else { panic!("{:?}", memory.entries()) };
    assert_eq!((opened.status, opened.reason.as_deref()), (Status::Abandoned, Some("unknown")));
    assert_eq!(opened.error.as_deref(), Some("The sidecar was stopped before Odoo answered."));
    assert!(opened.call_id.is_some() && opened.duration_ms.is_none());
    assert_eq!(opened.request.as_deref(), Some(r#"{"values":{"password":"***"}}"#));
    call.close(CallOutcome { created_ids: &[7, 8, 7], text: r#"{"ids":[7,8]}"#, ..CallOutcome::default() });
    entry.end(RequestOutcome::SUCCESS);
    drop(entry);
    audit.close();
    let recorded = memory.entries();
    let (Stage::Ready, closed) = &recorded[1] else { panic!("{recorded:?}") };
    assert_eq!(
        (closed.id, closed.status, closed.res_ids.as_slice()),
        (opened.id, Status::Success, &[7, 8][..])
    );
    assert_eq!((&closed.reason, &closed.error, &closed.call_id), (&None, &None, &None));
    assert_eq!((closed.time.as_str(), recorded.len()), ("2026-11-23T12:00:00.000Z", 2));
}

#[tokio::test]
async fn a_call_that_is_never_closed_is_abandoned() {
    let (audit, memory, _) = trail();
    let read = CallEntry::open(
        &identified_entry(&audit, "tools/call"),
        CallInfo { tool: "get_record", ..CallInfo::default() },
    );
    drop(read);
    let change = CallInfo { tool: "create_record", call_id: Some(CallId::random()), ..CallInfo::default() };
    drop(CallEntry::open(&identified_entry(&audit, "tools/call"), change));
    let ready: Vec<_> = memory.entries().into_iter().filter(|(stage, _)| *stage == Stage::Ready).collect();
    let [(_, read), (_, change)] = &ready[..] else { panic!("{ready:?}") };
    assert_eq!((read.status, read.reason.as_deref()), (Status::Abandoned, Some("client_left")));
    assert_eq!((change.status, change.reason.as_deref()), (Status::Abandoned, Some("unknown")));
    assert!(change.call_id.is_some());
}

#[tokio::test]
async fn a_call_that_panics_is_an_error() {
    let (audit, memory, _) = trail();
    for call_id in [None, Some(CallId::random())] {
        let call = CallEntry::open(
            &identified_entry(&audit, "tools/call"),
            CallInfo { call_id, ..CallInfo::default() },
        );
        let ended = tokio::spawn(async move {
            let _open = call;
            assert!(std::hint::black_box(false), "a secret");
        });
        assert!(ended.await.is_err_and(|error| error.is_panic()));
        let (Stage::Ready, row) = memory.entries().pop().unwrap() else { panic!("the row is open") };
        assert_eq!((row.status, row.reason.as_deref()), (Status::Error, Some("internal_error")));
        assert_eq!(row.call_id, call_id, "the addon knows the outcome of a change");
        assert!(!row.error.unwrap().contains("secret"));
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_recorded_is_not_opened() {
    let (audit, memory, _) = trail();
    // One byte is allowed, and none is used yet.
    assert!(audit.can_record());
    memory.1.store(true, Ordering::SeqCst);
    assert!(!audit.can_record());
    let entry = identified_entry(&audit, "tools/call");
    assert!(CallEntry::open(&entry, CallInfo::default()).unwrap().committed().await.is_none());
    memory.1.store(false, Ordering::SeqCst);
    entry.end(RequestOutcome::refused("audit_full", "It cannot be written."));
    drop(entry);
    audit.close();
    let [(_, recorded)] = &memory.entries()[..] else { panic!("{:?}", memory.entries()) };
    assert_eq!(
        (recorded.status, recorded.reason.as_deref(), recorded.count),
        (Status::Refused, Some("audit_full"), 1)
    );
}

#[test]
fn requests_of_a_kind_are_aggregated_and_spooled_while_they_run() {
    let (audit, memory, clock) = trail();
    for _ in 0..3 {
        identified_entry(&audit, "tools/list").end(RequestOutcome::SUCCESS);
    }
    identified_entry(&audit, "tools/list").end(RequestOutcome::refused("rate_limit_minute", "Too many."));
    audit.flush_aggregates(false);
    let recorded = memory.entries();
    assert!(recorded.iter().all(|(stage, _)| *stage == Stage::Open));
    assert_eq!(recorded.iter().map(|(_, sum)| sum.count).sum::<u64>(), 4);
    // Without changes, nothing is flushed.
    audit.flush_aggregates(false);
    assert_eq!(memory.entries().len(), 2);
    identified_entry(&audit, "tools/list").end(RequestOutcome::SUCCESS);
    clock.advance(Duration::from_millis(AGGREGATE_WINDOW_MS));
    identified_entry(&audit, "tools/list").end(RequestOutcome::SUCCESS);
    audit.flush_aggregates(false);
    let recorded = memory.entries().split_off(2);
    let count =
        |stage| recorded.iter().filter(|(s, _)| *s == stage).map(|(_, sum)| sum.count).collect::<Vec<_>>();
    let mut ended = count(Stage::Ready);
    ended.sort_unstable();
    assert_eq!((ended, count(Stage::Open)), (vec![1, 4], vec![1]));
}

#[test]
fn anonymous_requests_are_aggregated_by_network() {
    let (audit, memory, _) = trail();
    for peer in [
        "203.0.113.9",
        "203.0.113.77",
        "::ffff:203.0.113.1",
        "203.0.114.1",
        "2001:db8:1:2::1",
        "2001:db8:1:2:3::1",
    ] {
        entry(&audit, peer).end(RequestOutcome::refused("unknown", "The credential is not known"));
    }
    audit.close();
    let mut recorded: Vec<_> =
        memory.entries().into_iter().map(|(_, sum)| (sum.ip.unwrap(), sum.count)).collect();
    recorded.sort();
    let expected = [("2001:db8:1:2::/64", 2), ("203.0.113.0/24", 3), ("203.0.114.0/24", 1)];
    assert_eq!(recorded, expected.map(|(ip, count)| (ip.to_owned(), count)));
    let (_, sum) = &memory.entries()[0];
    assert_eq!((&sum.method, sum.connection, sum.duration_ms), (&None, None, None));
}

#[test]
fn a_request_that_is_never_ended_is_abandoned_and_a_notification_is_not_recorded() {
    let (audit, memory, _) = trail();
    drop(identified_entry(&audit, "tools/list"));
    let silent = |method: &str| RequestInfo { method: Some(method.to_owned()), ..RequestInfo::default() };
    for outcome in [Some(RequestOutcome::SUCCESS), Some(RequestOutcome::refused("disabled", "Off.")), None] {
        let entry = entry(&audit, "203.0.113.9");
        entry.identify(ConnectionId(3), UserId(2));
        entry.describe(silent("notifications/initialized"));
        outcome.into_iter().for_each(|outcome| entry.end(outcome));
    }
    audit.close();
    let mut recorded: Vec<_> =
        memory.entries().into_iter().map(|(_, sum)| (sum.reason.unwrap(), sum.count)).collect();
    recorded.sort();
    assert_eq!(recorded, [("client_left".to_owned(), 1), ("disabled".to_owned(), 1)]);
}

#[test]
fn a_flood_of_kinds_is_bounded_and_still_exact() {
    let aggregator = Aggregator::new(ANONYMOUS_WINDOW_MS, 50);
    let run = |thread: u32| {
        for number in 0..2000_u32 {
            let ip = std::net::Ipv4Addr::from((thread << 16) | (number << 8));
            let ip = ipnet::IpNet::new(ip.into(), 24).ok();
            let key = AggregateKey { ip, ..AggregateKey::of_outcome(Status::Refused, Some("unknown")) };
            aggregator.add(key, NOON_MS, None, || None);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || run(thread));
        }
    });
    let drained = aggregator.drain(NOON_MS, true);
    assert!(drained.len() <= 60, "{}", drained.len());
    assert_eq!(drained.iter().map(|(sum, _)| sum.count).sum::<u64>(), 8000);
    assert_eq!(drained.iter().filter(|(sum, _)| sum.ip.is_none()).count(), 1);
    assert!(aggregator.is_empty() && aggregator.drain(NOON_MS, true).is_empty());
}

#[test]
fn names_from_clients_are_truncated() {
    let (audit, memory, _) = trail();
    identified_entry(&audit, &"x".repeat(1_000_000))
        .end(RequestOutcome::refused("method_not_found", &"y".repeat(5000)));
    audit.close();
    let (_, sum) = &memory.entries()[0];
    assert_eq!(sum.method.as_ref().unwrap().chars().count(), 128);
    assert_eq!(sum.error.as_ref().unwrap().chars().count(), 2000);
}
