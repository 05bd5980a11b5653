//! Rows and sums by themselves: exact in number, whatever happens at the same time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use super::sums::{Key, Sums};
use super::*;
use crate::state::{Handled, Kept, Pending};
use crate::vocab::{CallId, ConnectionId, UserId};

const NOON_MS: u64 = 1_795_435_200_000;

/// A spool that remembers what it was given, unless it is told to fail.
#[derive(Debug, Default)]
struct Paper(Mutex<Vec<(Stage, Document)>>, AtomicBool);

impl Paper {
    fn told(&self) -> Vec<(Stage, Document)> {
        self.0.lock().unwrap().clone()
    }
}

impl Spool for Paper {
    fn keep(&self, entry: Kept, stage: Stage) -> Receipt {
        if self.1.load(Ordering::SeqCst) {
            return Receipt::lost();
        }
        self.0.lock().unwrap().push((stage, serde_json::from_str(&entry.body).unwrap()));
        Receipt::settled()
    }

    fn keep_soon(&self, entries: Vec<(Kept, Stage)>) {
        entries.into_iter().for_each(|(entry, stage)| drop(self.keep(entry, stage)));
    }

    fn withdraw(&self, _id: Uuid) {}

    fn oldest(&self, _most: usize) -> Pending<'_, Vec<Kept>> {
        Box::pin(std::future::ready(Vec::new()))
    }

    fn settle(&self, _handled: Handled) -> Pending<'_, bool> {
        Box::pin(std::future::ready(true))
    }

    fn recall(&self) {}

    fn used(&self) -> u64 {
        0
    }

    fn trouble(&self) -> Option<Trouble> {
        self.1.load(Ordering::SeqCst).then_some(Trouble::Unwritable)
    }
}

fn trail() -> (Arc<Audit>, Arc<Paper>, Clock) {
    let (paper, clock) = (Arc::new(Paper::default()), Clock::still_at(NOON_MS));
    let spool = Arc::clone(&paper) as Arc<dyn Spool>;
    (Audit::new(spool, 1, clock.clone(), Box::new(|| true)), paper, clock)
}

fn entry(audit: &Arc<Audit>, peer: &str) -> Arc<Entry> {
    audit.open(Uuid::now_v7(), peer.parse().unwrap(), Instant::now())
}

fn known(audit: &Arc<Audit>, method: &str) -> Arc<Entry> {
    let entry = entry(audit, "203.0.113.9");
    entry.identify(ConnectionId(3), UserId(2));
    entry.asks(Asked { method: Some(method.to_owned()), counts: true, ..Asked::default() });
    entry
}

#[tokio::test]
async fn a_row_is_kept_before_and_after_and_nothing_is_counted_besides() {
    let (audit, paper, _) = trail();
    let entry = known(&audit, "tools/call");
    let deed = Deed {
        tool: "create_record",
        model: Some("res.partner".to_owned()),
        call_id: Some(CallId::random()),
        request: Some(r#"{"values":{"password":"hunter2"}}"#.to_owned()),
        ..Deed::default()
    };
    let row = entry.row(deed).unwrap().kept().await.unwrap();
    assert!(entry.row(Deed::default()).is_none(), "a second row");
    let [(Stage::Open, opened)] = &paper.told()[..] else { panic!("{:?}", paper.told()) };
    assert_eq!((opened.status, opened.reason.as_deref()), (Status::Abandoned, Some("unknown")));
    assert_eq!(opened.error.as_deref(), Some("The sidecar was stopped before Odoo answered."));
    assert!(opened.call_id.is_some() && opened.duration_ms.is_none());
    assert_eq!(opened.request.as_deref(), Some(r#"{"values":{"password":"***"}}"#));
    row.close(Outcome { made: &[7, 8, 7], text: r#"{"ids":[7,8]}"#, ..Outcome::default() });
    entry.end(Verdict::SUCCESS);
    drop(entry);
    audit.close();
    let told = paper.told();
    let (Stage::Ready, closed) = &told[1] else { panic!("{told:?}") };
    assert_eq!(
        (closed.id, closed.status, closed.res_ids.as_slice()),
        (opened.id, Status::Success, &[7, 8][..])
    );
    assert_eq!((&closed.reason, &closed.error, &closed.call_id), (&None, &None, &None));
    assert_eq!((closed.time.as_str(), told.len()), ("2026-11-23T12:00:00.000Z", 2));
}

#[tokio::test]
async fn a_row_that_nobody_closes_was_abandoned() {
    let (audit, paper, _) = trail();
    let read = known(&audit, "tools/call").row(Deed { tool: "get_record", ..Deed::default() });
    drop(read);
    let change = Deed { tool: "create_record", call_id: Some(CallId::random()), ..Deed::default() };
    drop(known(&audit, "tools/call").row(change));
    let ready: Vec<_> = paper.told().into_iter().filter(|(stage, _)| *stage == Stage::Ready).collect();
    let [(_, read), (_, change)] = &ready[..] else { panic!("{ready:?}") };
    assert_eq!((read.status, read.reason.as_deref()), (Status::Abandoned, Some("client_left")));
    assert_eq!((change.status, change.reason.as_deref()), (Status::Abandoned, Some("unknown")));
    assert!(change.call_id.is_some());
}

#[tokio::test]
async fn a_row_that_cannot_be_kept_is_no_row() {
    let (audit, paper, _) = trail();
    // One byte was allowed, and none is used yet.
    assert!(audit.has_room());
    paper.1.store(true, Ordering::SeqCst);
    assert!(!audit.has_room());
    let entry = known(&audit, "tools/call");
    assert!(entry.row(Deed::default()).unwrap().kept().await.is_none());
    paper.1.store(false, Ordering::SeqCst);
    entry.end(Verdict::refused("audit_full", "It cannot be written."));
    drop(entry);
    audit.close();
    let [(_, told)] = &paper.told()[..] else { panic!("{:?}", paper.told()) };
    assert_eq!((told.status, told.reason.as_deref(), told.count), (Status::Refused, Some("audit_full"), 1));
}

#[test]
fn requests_of_a_kind_are_summed_and_kept_while_they_run() {
    let (audit, paper, clock) = trail();
    for _ in 0..3 {
        known(&audit, "tools/list").end(Verdict::SUCCESS);
    }
    known(&audit, "tools/list").end(Verdict::refused("rate_limit_minute", "Too many."));
    audit.keep_sums(false);
    let told = paper.told();
    assert!(told.iter().all(|(stage, _)| *stage == Stage::Open));
    assert_eq!(told.iter().map(|(_, sum)| sum.count).sum::<u64>(), 4);
    // Nothing new, nothing to keep.
    audit.keep_sums(false);
    assert_eq!(paper.told().len(), 2);
    known(&audit, "tools/list").end(Verdict::SUCCESS);
    clock.advance(Duration::from_millis(WINDOW_MS));
    known(&audit, "tools/list").end(Verdict::SUCCESS);
    audit.keep_sums(false);
    let told = paper.told().split_off(2);
    let count =
        |stage| told.iter().filter(|(s, _)| *s == stage).map(|(_, sum)| sum.count).collect::<Vec<_>>();
    let mut over = count(Stage::Ready);
    over.sort_unstable();
    assert_eq!((over, count(Stage::Open)), (vec![1, 4], vec![1]));
}

#[test]
fn strangers_are_summed_by_their_networks() {
    let (audit, paper, _) = trail();
    for peer in [
        "203.0.113.9",
        "203.0.113.77",
        "::ffff:203.0.113.1",
        "203.0.114.1",
        "2001:db8:1:2::1",
        "2001:db8:1:2:3::1",
    ] {
        entry(&audit, peer).end(Verdict::refused("unknown", "The credential is not known"));
    }
    audit.close();
    let mut told: Vec<_> = paper.told().into_iter().map(|(_, sum)| (sum.ip.unwrap(), sum.count)).collect();
    told.sort();
    let expected = [("2001:db8:1:2::/64", 2), ("203.0.113.0/24", 3), ("203.0.114.0/24", 1)];
    assert_eq!(told, expected.map(|(ip, count)| (ip.to_owned(), count)));
    let (_, sum) = &paper.told()[0];
    assert_eq!((&sum.method, sum.connection, sum.duration_ms), (&None, None, None));
}

#[test]
fn a_request_that_nobody_ends_was_abandoned_and_a_notification_is_not_told_of() {
    let (audit, paper, _) = trail();
    drop(known(&audit, "tools/list"));
    let silent = |method: &str| Asked { method: Some(method.to_owned()), ..Asked::default() };
    for verdict in [Some(Verdict::SUCCESS), Some(Verdict::refused("disabled", "Off.")), None] {
        let entry = entry(&audit, "203.0.113.9");
        entry.identify(ConnectionId(3), UserId(2));
        entry.asks(silent("notifications/initialized"));
        verdict.into_iter().for_each(|verdict| entry.end(verdict));
    }
    audit.close();
    let mut told: Vec<_> =
        paper.told().into_iter().map(|(_, sum)| (sum.reason.unwrap(), sum.count)).collect();
    told.sort();
    assert_eq!(told, [("client_left".to_owned(), 1), ("disabled".to_owned(), 1)]);
}

#[test]
fn a_flood_of_kinds_is_bounded_and_still_exact() {
    let sums = Sums::new(WINDOW_OF_STRANGERS_MS, 50);
    let run = |thread: u32| {
        for number in 0..2000_u32 {
            let ip = std::net::Ipv4Addr::from((thread << 16) | (number << 8));
            let ip = ipnet::IpNet::new(ip.into(), 24).ok();
            let key = Key { ip, ..Key::of(Status::Refused, Some("unknown")) };
            sums.add(key, NOON_MS, None, || None);
        }
    };
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || run(thread));
        }
    });
    let taken = sums.take(NOON_MS, true);
    assert!(taken.len() <= 60, "{}", taken.len());
    assert_eq!(taken.iter().map(|(sum, _)| sum.count).sum::<u64>(), 8000);
    assert_eq!(taken.iter().filter(|(sum, _)| sum.ip.is_none()).count(), 1);
    assert!(sums.is_empty() && sums.take(NOON_MS, true).is_empty());
}

#[test]
fn names_that_clients_make_up_are_bounded() {
    let (audit, paper, _) = trail();
    known(&audit, &"x".repeat(1_000_000)).end(Verdict::refused("method_not_found", &"y".repeat(5000)));
    audit.close();
    let (_, sum) = &paper.told()[0];
    assert_eq!(sum.method.as_ref().unwrap().chars().count(), 128);
    assert_eq!(sum.error.as_ref().unwrap().chars().count(), 2000);
}
