//! The rate limiter on a manual clock.

use super::*;
use crate::state::EmbeddedStore;
use crate::vocab::{
    AddressRules, ConnectionId, ConnectionKind, MethodLevel, Proof, RateLimits, Scope, User, UserId,
};

/// 2026-11-23T13:30:12.5Z, half past two in Brussels.
const NOW_MS: u64 = 1_795_440_612_500;

fn principal(connection: i64, minute: Option<u32>, day: Option<u32>) -> Principal {
    Principal {
        connection: ConnectionId(connection),
        connection_name: "Test".into(),
        kind: ConnectionKind::Oauth,
        scope: Scope::Full,
        upgradable: false,
        audience: None,
        user: User { id: UserId(2), login: "admin".into(), name: "Admin".into(), lang: None, tz: None },
        allowed_tools: Vec::new(),
        allowed_models: Vec::new(),
        method_level: MethodLevel::Any,
        limits: RateLimits { minute, day },
        addresses: AddressRules::default(),
        schema_key: "k".into(),
        proof: Proof::of_text("x"),
    }
}

fn settings(minute: u32, day: u32, tz: &str) -> RateSettings<'_> {
    RateSettings { minute, day, tz }
}

struct LimiterFixture {
    directory: tempfile::TempDir,
    clock: Clock,
    rate: RequestRateLimiter,
}

impl LimiterFixture {
    fn at(unix_ms: u64) -> Self {
        let (directory, clock) = (tempfile::tempdir().unwrap(), Clock::manual_at(unix_ms));
        let rate =
            RequestRateLimiter::new(Arc::new(EmbeddedStore::open(directory.path()).unwrap()), clock.clone());
        Self { directory, clock, rate }
    }

    /// As after a restart of the process.
    fn restarted(self) -> Self {
        let Self { directory, clock, rate } = self;
        drop(rate);
        let rate =
            RequestRateLimiter::new(Arc::new(EmbeddedStore::open(directory.path()).unwrap()), clock.clone());
        Self { directory, clock, rate }
    }

    async fn count_accepted(&self, who: &Principal, settings: &RateSettings<'_>, times: usize) -> usize {
        let mut passed = 0;
        for _ in 0..times {
            passed += usize::from(self.rate.acquire(who, settings).await.is_ok());
        }
        passed
    }

    async fn refused(&self, who: &Principal, settings: &RateSettings<'_>) -> RateLimitExceeded {
        self.rate.acquire(who, settings).await.unwrap_err()
    }
}

#[tokio::test]
async fn a_minute_is_one_of_the_clock() {
    let (scene, who, settings) =
        (LimiterFixture::at(NOW_MS), principal(1, None, None), settings(5, 100, "UTC"));
    assert_eq!(scene.count_accepted(&who, &settings, 9).await, 5);
    let reached = scene.refused(&who, &settings).await;
    assert_eq!((reached.span, reached.max_requests), (LimitPeriod::Minute, 5));
    assert_eq!(reached.retry_after, Duration::from_millis(47_500));
    assert_eq!(reached.resets_at.to_string(), "2026-11-23T13:31:00Z");
    scene.clock.advance(reached.retry_after - Duration::from_millis(1));
    assert_eq!(scene.count_accepted(&who, &settings, 9).await, 0);
    scene.clock.advance(Duration::from_millis(1));
    assert_eq!(scene.count_accepted(&who, &settings, 9).await, 5);
}

#[tokio::test]
async fn a_day_ends_at_midnight_of_the_company_and_outlives_a_restart() {
    let (scene, who) = (LimiterFixture::at(NOW_MS), principal(1, None, None));
    let settings = settings(0, 5, "Europe/Brussels");
    assert_eq!(scene.count_accepted(&who, &settings, 3).await, 3);
    let scene = scene.restarted();
    assert_eq!(scene.count_accepted(&who, &settings, 9).await, 2);
    let reached = scene.refused(&who, &settings).await;
    assert_eq!((reached.span, reached.max_requests), (LimitPeriod::Day, 5));
    assert_eq!(reached.resets_at.to_string(), "2026-11-23T23:00:00Z");
    scene.clock.advance(reached.retry_after - Duration::from_millis(1));
    let scene = scene.restarted();
    // The clock of the scene is not reset by the restart.
    assert_eq!(scene.count_accepted(&who, &settings, 9).await, 0);
    scene.clock.advance(Duration::from_millis(1));
    assert_eq!(scene.count_accepted(&who, &settings, 9).await, 5);
}

#[tokio::test]
async fn an_override_wins_and_a_changed_default_reaches_the_rest_at_once() {
    let scene = LimiterFixture::at(NOW_MS);
    let (own, free, rest) =
        (principal(1, Some(2), None), principal(2, Some(0), Some(0)), principal(3, None, None));
    let before = settings(4, 1000, "UTC");
    assert_eq!(scene.count_accepted(&own, &before, 20).await, 2);
    assert_eq!(scene.count_accepted(&free, &before, 2000).await, 2000);
    assert_eq!(scene.count_accepted(&rest, &before, 20).await, 4);
    let after = settings(7, 1000, "UTC");
    assert_eq!(scene.count_accepted(&own, &after, 20).await, 0);
    assert_eq!(scene.count_accepted(&rest, &after, 20).await, 3);
    assert_eq!(scene.count_accepted(&rest, &settings(0, 1000, "UTC"), 20).await, 20);
}

#[tokio::test]
async fn fifty_callers_at_once_get_exactly_the_limit() {
    let scene = Arc::new(LimiterFixture::at(NOW_MS));
    let (who, settings) = (Arc::new(principal(1, None, None)), Arc::new(settings(123, 456, "UTC")));
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (scene, who, settings) = (Arc::clone(&scene), Arc::clone(&who), Arc::clone(&settings));
            tokio::spawn(async move { scene.count_accepted(&who, &settings, 10).await })
        })
        .collect();
    let mut passed = 0;
    for caller in callers {
        passed += caller.await.unwrap();
    }
    assert_eq!(passed, 123);
}

#[test]
fn days_are_those_of_the_zone() {
    let day = |at: &str, tz: &str| {
        let (start, end) = day_bounds_in(at.parse::<Timestamp>().unwrap().as_second(), tz);
        (Timestamp::from_second(start).unwrap().to_string(), (end - start) / 3600)
    };
    assert_eq!(day("2026-11-23T23:30:00Z", "UTC"), ("2026-11-23T00:00:00Z".into(), 24));
    assert_eq!(day("2026-11-23T23:30:00Z", "Europe/Brussels"), ("2026-11-23T23:00:00Z".into(), 24));
    assert_eq!(day("2026-11-23T03:00:00Z", "America/New_York"), ("2026-11-22T05:00:00Z".into(), 24));
    // The clocks change: one day is shorter, one is longer.
    assert_eq!(day("2026-03-29T12:00:00Z", "Europe/Brussels"), ("2026-03-28T23:00:00Z".into(), 23));
    assert_eq!(day("2026-10-25T12:00:00Z", "Europe/Brussels"), ("2026-10-24T22:00:00Z".into(), 25));
    assert_eq!(day("2026-11-23T23:30:00Z", "Nowhere/Land"), ("2026-11-23T00:00:00Z".into(), 24));
    assert_eq!(day("2026-11-23T23:30:00Z", ""), ("2026-11-23T00:00:00Z".into(), 24));
}
