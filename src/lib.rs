//! The sidecar of an Odoo server: one URL, `/odoo/mcp`, for every tool that speaks MCP.
//!
//! Modules stand below in the order of the layers, lowest first.
#![doc = include_str!("architecture.md")]

pub mod vocab;

pub mod config;

pub mod telemetry;

pub mod odoo;

pub mod state;

pub mod mirror;

pub mod guard;

pub mod oauth;

pub mod audit;

pub mod sessions;

pub mod check;

pub mod tools;

pub mod mcp;

pub mod web;

pub mod app;
