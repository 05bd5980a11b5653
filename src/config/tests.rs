//! Settings from every source, sound and not.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use super::oauth::ClientDocumentMode;
use super::*;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/config.example.toml");

fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("settings.toml");
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

fn load(text: &str, environment: &[(&str, &str)], flags: &[(&'static str, &str)]) -> Result<Config, Faults> {
    let (_directory, path) = file(text);
    Config::load(&ConfigSources {
        file: Some(path),
        environment: environment.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        overrides: flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect(),
    })
}

fn faults(text: &str) -> Vec<String> {
    load(text, &[], &[]).unwrap_err().iter().map(str::to_owned).collect()
}

const VALID_CONFIG: &str =
    "public_url = 'https://odoo.example.com'\n[odoo]\ndatabase = 'db'\napi_key = 'k'\n";

#[test]
fn the_example_names_every_key_and_loads() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap();
    let (_directory, key) = file("  the-key\n");
    let text = text.replace("/etc/odoo-mcp-sidecar.key", key.to_str().unwrap());
    let config = load(&text, &[], &[]).unwrap();
    assert_eq!(config.odoo.api_key.expose(), "the-key");
    assert_eq!(config.limits.session_idle, Duration::from_secs(1800));

    // Every field of every section, by asking serde for its names.
    let named: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split_once(" = "))
        .map(|(key, _)| key.to_owned())
        .collect();
    for key in known_keys() {
        assert!(named.contains(&key), "the example does not name {key}");
    }
}

/// The keys that a section's struct knows, as its refusal of an unknown one lists them.
fn known_keys() -> Vec<String> {
    fn of<T: serde::de::DeserializeOwned>() -> Vec<String> {
        let error = serde_json::from_str::<T>(r#"{"no such key": 1}"#).err().unwrap().to_string();
        error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
    }
    let sections =
        [of::<odoo::OdooConfig>(), of::<mirror::MirrorConfig>(), of::<audit::AuditConfig>()].concat();
    let sections = [sections, of::<oauth::OauthConfig>()].concat();
    let keys = [of::<Server>(), of::<Limits>(), sections, of::<Log>()].concat();
    assert!(keys.len() > 40, "{keys:?}");
    // The example shows the better way to give it.
    keys.into_iter().filter(|key| key != "api_key").collect()
}

#[test]
fn the_example_shows_the_defaults() {
    let text = std::fs::read_to_string(EXAMPLE).unwrap().replace("api_key_file = \"/etc", "api_key = \"/etc");
    let (example, sound) = (load(&text, &[], &[]).unwrap(), load(VALID_CONFIG, &[], &[]).unwrap());
    assert_eq!(format!("{:?}", example.limits), format!("{:?}", sound.limits));
    assert_eq!(format!("{:?}", example.mirror), format!("{:?}", sound.mirror));
    assert_eq!(format!("{:?}", example.audit), format!("{:?}", sound.audit));
    assert_eq!(format!("{:?}", example.oauth), format!("{:?}", sound.oauth));
    assert_eq!(format!("{:?}", example.log), format!("{:?}", sound.log));
    let odoo = odoo::OdooConfig { database: "db".into(), ..example.odoo };
    assert_eq!(format!("{odoo:?}"), format!("{:?}", sound.odoo));
    assert_eq!(example.server.listen, sound.server.listen);
    assert_eq!(example.server.drain_timeout, sound.server.drain_timeout);
}

#[test]
fn full_caps_of_sessions_and_streams_fit_in_memory() {
    // Upper bounds of what tests/bench/run measures as "a live legacy session" and "an idle stream".
    const SESSION: usize = 128_000;
    const STREAM: usize = 32_000;
    let limits = super::Limits::default();
    assert!(limits.sessions * SESSION <= 128_000_000);
    assert!(limits.streams * STREAM <= 10_000 * 64_000);
    assert!(limits.sessions_per_connection < limits.sessions);
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let text =
        format!("listen = '127.0.0.1:1'\nadmin_listen = '127.0.0.1:2'\ndata_dir = 'a'\n{VALID_CONFIG}");
    let environment = [
        ("ODOO_MCP_ADMIN_LISTEN", "127.0.0.1:22"),
        ("ODOO_MCP_DATA_DIR", "b"),
        ("ODOO_MCP_TRUSTED_PROXIES", "10.0.0.0/8, ::1/128"),
        ("ODOO_MCP_LIMITS__BODY_TIMEOUT", "1m 30s"),
        ("ODOO_MCP_LIMITS__IN_FLIGHT", "3"),
        ("ODOO_MCP_ODOO__API_KEY", "12345"),
        ("ODOO_MCP_ODOO__LOGIN", ""),
        ("ODOO_MCP_DEV_DIR", "/tmp"),
        ("ODOO_MCP_CONFIG", "/tmp/x"),
        ("PATH", "/bin"),
    ];
    let config = load(&text, &environment, &[("data_dir", "c"), ("log.format", "json")]).unwrap();
    assert_eq!(config.server.listen.port(), 1);
    assert_eq!(config.server.admin_listen.port(), 22);
    assert_eq!(config.server.data_dir, PathBuf::from("c"));
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!(config.limits.body_timeout, Duration::from_secs(90));
    assert_eq!(config.limits.in_flight, 3);
    assert_eq!(config.odoo.api_key.expose(), "12345");
    assert_eq!(config.odoo.login, "mcp_sidecar_service");
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn all_faults_are_reported_at_once() {
    let text = "listen = 'nowhere'\nlisten_twice = 1\npublic_url = 'odoo.example.com/odoo/mcp'\n\
                trusted_proxies = ['10.0.0.0/8', 'gate']\nlog = 'loud'\n\
                [limits]\nbody_timeout = 'soon'\nin_flight = 0\nmax_header_bytes = 10\nfailed_attempts = 0\n\
                [audit]\nspool_max_bytes = 5\n[odoo]\nurl = 'ftp://x'\napi_key = ['s3cret']\n[odo]\nurl = 'x'\n";
    let faults = faults(text);
    let found = faults.join("\n");
    for key in [
        "listen: ",
        "listen_twice: is not a known key",
        "public_url: ",
        "trusted_proxies: ",
        "log: is a section",
        "limits.body_timeout: ",
        "limits.in_flight: ",
        "limits.max_header_bytes: ",
        "limits.failed_attempts: ",
        "audit.spool_max_bytes: ",
        "odoo.url: ",
        "odoo.api_key: ",
        "odoo.database: ",
        "odo: is not a known key",
    ] {
        assert!(faults.iter().any(|fault| fault.starts_with(key)), "{key} is missing in\n{found}");
    }
    assert!(!found.contains("s3cret"), "{found}");
}

#[test]
fn an_unknown_level_is_not_taken_for_a_target() {
    for level in
        ["error", "WARN", "off", "info,odoo_mcp_sidecar::web=debug", "warn,hyper=off", "info,[request]=debug"]
    {
        let text = format!("{VALID_CONFIG}[log]\nlevel = '{level}'\n");
        assert!(load(&text, &[], &[]).is_ok(), "{level}");
    }
    for (level, part) in [
        ("debgu", "debgu"),
        ("loud", "loud"),
        ("warning", "warning"),
        ("", ""),
        ("info,", ""),
        ("info,hyper", "hyper"),
        ("info, debug", " debug"),
        ("hyper=debug,debgu", "debgu"),
    ] {
        let found = faults(&format!("{VALID_CONFIG}[log]\nlevel = '{level}'\n"));
        let levels = "error, warn, info, debug, trace, off";
        assert_eq!(found, [format!("log.level: {part:?} is not a level: {levels}")]);
    }
    let found = faults(&format!("{VALID_CONFIG}[log]\nlevel = 'info,hyper=debgu'\n"));
    assert!(found.len() == 1 && found[0].starts_with("log.level: \"info,hyper=debgu\": "), "{found:?}");
}

#[test]
fn an_unknown_log_format_is_refused_with_the_valid_ones() {
    let found = faults(&format!("{VALID_CONFIG}[log]\nformat = 'xml'\n"));
    assert!(found[0].starts_with("log.format: \"xml\" is no form of a log: text or json"), "{found:?}");
    assert_eq!(
        load(&format!("{VALID_CONFIG}[log]\nformat = 'JSON'\n"), &[], &[]).unwrap().log.format,
        LogFormat::Json
    );
}

#[test]
fn documents_of_clients_are_fetched_as_configured() {
    let mode = |text: &str| load(&format!("{VALID_CONFIG}{text}"), &[], &[]).unwrap().oauth.client_documents;
    assert_eq!(mode(""), ClientDocumentMode::Auto);
    for (text, expected) in
        [("auto", ClientDocumentMode::Auto), ("on", ClientDocumentMode::On), ("OFF", ClientDocumentMode::Off)]
    {
        assert_eq!(mode(&format!("[oauth]\nclient_documents = '{text}'\n")), expected);
    }
    let environment = [("ODOO_MCP_OAUTH__CLIENT_DOCUMENTS", "off")];
    let loaded = load(VALID_CONFIG, &environment, &[]).unwrap();
    assert_eq!(loaded.oauth.client_documents, ClientDocumentMode::Off);
    let found = faults(&format!("{VALID_CONFIG}[oauth]\nclient_documents = 'maybe'\n"));
    assert!(found[0].starts_with("oauth.client_documents: \"maybe\" is not auto, on or off"), "{found:?}");
}

#[test]
fn a_zero_that_would_stop_the_sidecar_is_refused() {
    let timeouts = "connect_timeout_ms control_timeout_ms schema_timeout_ms";
    let counts = "max_in_flight threads batch_size max_answer_bytes";
    let breaker = "breaker_failures breaker_pause_ms breaker_pause_max_ms";
    let kept = "max_connections max_refusals max_fields";
    let look_ups = "unknown_per_second unknown_burst unknown_per_second_address unknown_burst_address";
    let pauses = "hello_ms poll_ms poll_watched_ms";
    // The sound settings end in [odoo].
    for (section, header, keys) in [
        ("odoo", "", [timeouts, counts, breaker].join(" ")),
        ("mirror", "[mirror]\n", [kept, look_ups, pauses].join(" ")),
    ] {
        for key in keys.split(' ') {
            let found = faults(&format!("{VALID_CONFIG}{header}{key} = 0\n"));
            assert!(found[0].starts_with(&format!("{section}.{key}: must be at least 1")), "{found:?}");
        }
    }
    let ttls = "connection_ttl_ms = 0\nrefusal_ttl_ms = 0\nschema_ttl_ms = 0\n";
    assert!(load(&format!("{VALID_CONFIG}settle_ms = 0\n[mirror]\n{ttls}"), &[], &[]).is_ok());
}

#[test]
fn a_variable_with_our_prefix_must_be_known() {
    let environment = [("ODOO_MCP_NONSENSE", "1"), ("ODOO_MCP_LIMITS__NONSENSE", "1")];
    let faults = load(VALID_CONFIG, &environment, &[]).unwrap_err().to_string();
    assert!(faults.contains("limits.nonsense: is not a known key"), "{faults}");
    assert!(faults.contains("\n  nonsense: is not a known key"), "{faults}");
}

#[test]
fn an_invalid_toml_file_does_not_hide_other_faults() {
    let faults = faults("listen = = 1");
    assert!(faults.len() > 2, "{faults:?}");
    let missing = ConfigSources { file: Some("/no/such/file".into()), ..ConfigSources::default() };
    assert!(Config::load(&missing).unwrap_err().to_string().contains("/no/such/file"));
}

#[test]
fn a_key_file_must_be_there_and_alone() {
    let with = |line: &str| VALID_CONFIG.replace("api_key = 'k'", line);
    assert!(faults(&with("api_key_file = '/no/such/key'"))[0].starts_with("odoo.api_key_file: /no/such/key"));
    assert!(
        faults(&with("api_key = 'k'\napi_key_file = '/x'"))[0]
            .starts_with("odoo.api_key_file: is given besides")
    );
    let (_directory, empty) = file(" \n");
    let line = format!("api_key_file = '{}'", empty.display());
    assert!(faults(&with(&line))[0].ends_with("is empty"));
}

#[test]
fn wake_ups_go_where_odoo_can_reach() {
    let mut server = Server::default();
    assert_eq!(server.wake_target("127.0.0.1:99".parse().unwrap()), "http://127.0.0.1:99/wake");
    assert_eq!(server.wake_target("0.0.0.0:99".parse().unwrap()), "http://127.0.0.1:99/wake");
    assert_eq!(server.wake_target("[::1]:99".parse().unwrap()), "http://[::1]:99/wake");
    server.wake_url = Some("http://sidecar:1/wake".into());
    assert_eq!(server.wake_target("127.0.0.1:99".parse().unwrap()), "http://sidecar:1/wake");
}

#[test]
fn names_and_origins_are_exact() {
    let with = |line: &str| {
        let text = VALID_CONFIG.replacen("\n", &format!("\n{line}\n"), 1);
        load(&text, &[], &[]).map_err(|faults| faults.iter().map(str::to_owned).collect::<Vec<_>>())
    };
    for good in [
        "allowed_hosts = ['sidecar', 'mcp_sidecar:8766', '10.0.0.1', '[fd00::1]:8766']",
        "allowed_origins = ['https://a.example', 'http://localhost:*', 'http://[::1]:6274']",
        "wake_url = 'http://sidecar:8766/wake'",
        "wake_url = 'HTTPS://[fd00::1]:8766/wake'",
    ] {
        assert!(with(good).is_ok(), "{good}: {:?}", with(good));
    }
    for bad in ["a:b", "a:0", "u@a", "a/b", "http://a", "a..b", "127.1", "::1", "*", ""] {
        let faults = with(&format!("allowed_hosts = ['ok', '{bad}']")).unwrap_err();
        assert!(faults.len() == 1 && faults[0].starts_with("allowed_hosts: "), "{bad}: {faults:?}");
    }
    for bad in
        ["null", "https://a/b", "https://u@a", "https://a:b", "https://a..b", "ftp://a", "https://127.1"]
    {
        let faults = with(&format!("allowed_origins = ['{bad}']")).unwrap_err();
        assert!(faults.len() == 1 && faults[0].starts_with("allowed_origins: "), "{bad}: {faults:?}");
        let faults = load(&VALID_CONFIG.replace("https://odoo.example.com", bad), &[], &[]).unwrap_err();
        assert!(faults.to_string().contains("public_url: "), "{bad}: {faults}");
    }
    for bad in ["http://u:p@sidecar/wake", "http://sidecar:port/wake", "http://0x7f.1/wake", "sidecar/wake"] {
        let faults = with(&format!("wake_url = '{bad}'")).unwrap_err();
        assert!(faults.len() == 1 && faults[0].starts_with("wake_url: "), "{bad}: {faults:?}");
    }
}

#[test]
fn an_untrusted_proxy_is_suspected() {
    let server = |url: &str, listen: &str, trusted: &[&str]| Server {
        public_url: url.into(),
        listen: listen.parse().unwrap(),
        trusted_proxies: trusted.iter().map(|network| network.parse().unwrap()).collect(),
        ..Server::default()
    };
    assert!(server("https://odoo.example.com", "127.0.0.1:1", &[]).likely_behind_untrusted_proxy());
    assert!(server("http://odoo.example.com", "0.0.0.0:1", &[]).likely_behind_untrusted_proxy());
    assert!(server("http://localhost", "[::]:1", &[]).likely_behind_untrusted_proxy());
    assert!(!server("http://localhost", "127.0.0.1:1", &[]).likely_behind_untrusted_proxy());
    assert!(!server("http://localhost", "[::1]:1", &[]).likely_behind_untrusted_proxy());
    assert!(
        !server("https://odoo.example.com", "0.0.0.0:1", &["10.0.0.0/8"]).likely_behind_untrusted_proxy()
    );
}

#[test]
fn secrets_are_not_shown() {
    let config = load(VALID_CONFIG.replace("'k'", "'s3cret'").as_str(), &[], &[]).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn arguments_are_read_without_ending_the_process() {
    let read = |line: &str| Arguments::read(line.split(' ').map(Into::into));
    assert!(matches!(read("sidecar --help"), ParsedCommand::Print(text) if text.contains("--check")));
    assert!(
        matches!(read("sidecar --version"), ParsedCommand::Print(text) if text.contains(env!("CARGO_PKG_VERSION")))
    );
    assert!(matches!(read("sidecar --nonsense"), ParsedCommand::UsageError(_)));
    let ParsedCommand::Run(arguments) = read("sidecar --check --odoo-url http://x --log-level debug") else {
        panic!()
    };
    assert!(arguments.check);
    let source = ConfigSources { overrides: arguments.overrides(), environment: HashMap::new(), file: None };
    let faults = Config::load(&source).unwrap_err().to_string();
    assert!(faults.contains("public_url") && !faults.contains("odoo.url"), "{faults}");
}
