//! Registry of all tools, in the order that clients see: finding out, reading, writing, running.

use super::families::{batch, describe, execute, group, models, read, search, session, traverse, write};
use super::plan::Tool;

/// One line a tool.
pub(super) fn all() -> Vec<Box<dyn Tool>> {
    vec![
        Box::new(session::GetSession),
        Box::new(models::ListModels),
        Box::new(describe::DescribeModel),
        Box::new(search::SearchRecords),
        Box::new(read::SearchRead),
        Box::new(read::SearchCount),
        Box::new(read::GetRecord),
        Box::new(group::ReadGroup),
        Box::new(traverse::Traverse),
        Box::new(write::CreateRecord),
        Box::new(write::UpdateRecord),
        Box::new(write::DeleteRecord),
        Box::new(batch::BatchCreate),
        Box::new(batch::BatchUpdate),
        Box::new(batch::BatchDelete),
        Box::new(execute::ExecuteMethod),
    ]
}
