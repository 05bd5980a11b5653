//! OAuth 2.1 authorization server: functions from a plain request to a plain answer. Names no warp and no XML-RPC.

pub mod redirect_uri;
