//! Cache of models and fields, shared by all users with the same schema key.
//!
//! The generation of the schema is part of each key: an answer requested before a change is stored under the old
//! generation, and never served after it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::future::Cache;

use super::Options;
use crate::odoo::contract::{FieldDocument, ModelDocument, SchemaRequest};
use crate::odoo::{Client, Error};
use crate::vocab::Principal;

/// The most lists of models: one for each schema key and language.
const MAX_MODEL_LISTS: u64 = 200;

#[derive(Debug)]
pub(super) struct SchemaCache {
    client: Arc<Client>,
    generation: AtomicU64,
    models: Cache<SchemaKey, Arc<[ModelDocument]>>,
    fields: Cache<(SchemaKey, String), Arc<[FieldDocument]>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SchemaKey {
    generation: u64,
    schema_key: String,
    lang: Option<String>,
}

impl SchemaCache {
    pub(super) fn new(client: Arc<Client>, options: &Options) -> Self {
        let ttl = Duration::from_millis(options.schema_ttl_ms.clamp(1, 24 * 3_600_000));
        Self {
            client,
            generation: AtomicU64::new(0),
            models: Cache::builder().max_capacity(MAX_MODEL_LISTS).time_to_live(ttl).build(),
            fields: Cache::builder()
                .weigher(|_, fields: &Arc<[FieldDocument]>| {
                    u32::try_from(fields.len() + 1).unwrap_or(u32::MAX)
                })
                .max_capacity(options.max_fields)
                .time_to_live(ttl)
                .build(),
        }
    }

    /// Invalidates all schemas.
    pub(super) fn invalidate(&self) {
        self.generation.fetch_add(1, Ordering::AcqRel);
        self.models.invalidate_all();
        self.fields.invalidate_all();
    }

    pub(super) async fn models(
        &self,
        principal: &Principal,
        lang: Option<&str>,
    ) -> Result<Arc<[ModelDocument]>, Error> {
        let load = async {
            let answer = self.client.models(&request(principal, lang, None)).await?;
            Ok::<_, Error>(Arc::from(answer.models))
        };
        let found = self.models.try_get_with(self.key(principal, lang), load).await;
        found.map_err(|error| Error::clone(&error))
    }

    pub(super) async fn fields(
        &self,
        principal: &Principal,
        model: &str,
        lang: Option<&str>,
    ) -> Result<Arc<[FieldDocument]>, Error> {
        let load = async {
            let request = request(principal, lang, Some(vec![model.to_owned()]));
            let mut answer = self.client.fields(&request).await?;
            answer.fields.remove(model).map(Arc::from).ok_or(Error::InvalidAnswer)
        };
        let key = (self.key(principal, lang), model.to_owned());
        self.fields.try_get_with(key, load).await.map_err(|error| Error::clone(&error))
    }

    /// The key of a request; without a language Odoo answers labels in the user's own.
    fn key(&self, principal: &Principal, lang: Option<&str>) -> SchemaKey {
        SchemaKey {
            generation: self.generation.load(Ordering::Acquire),
            schema_key: principal.schema_key.clone(),
            lang: lang.or(principal.user.lang.as_deref()).map(str::to_owned),
        }
    }
}

fn request(principal: &Principal, lang: Option<&str>, models: Option<Vec<String>>) -> SchemaRequest {
    SchemaRequest { proof: principal.proof.clone(), lang: lang.map(str::to_owned), models }
}
