//! Downloads into the user's cache, by Hugging Face's own crate.

use std::collections::BTreeSet;

use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Repo, RepoType};

use super::{Cache, HubId, NEEDED};
use crate::error::{Error, Result};
use crate::model::special::COMPANIONS;
use crate::model::{files, shards};

/// Downloads a checkpoint's files, with a progress bar each.
///
/// # Errors
/// When there is no network, no such model, or it needs a permission.
pub(super) fn download(id: &HubId, cache: &Cache) -> Result<()> {
    let failed = |error: ApiError| told(id, &error);
    let api = ApiBuilder::from_env().with_cache_dir(cache.0.clone()).with_progress(true).build().map_err(failed)?;
    let repository = api.repo(Repo::with_revision(id.repository.clone(), RepoType::Model, id.revision.clone()));
    let there: BTreeSet<String> =
        repository.info().map_err(failed)?.siblings.into_iter().map(|sibling| sibling.rfilename).collect();
    let get = |name: &str| ApiRepo::get(&repository, name).map_err(failed);
    for name in NEEDED.into_iter().chain(COMPANIONS).filter(|name| there.contains(*name)) {
        get(name)?;
    }
    if there.contains(files::SINGLE) {
        get(files::SINGLE)?;
    } else if there.contains(files::INDEX) {
        let index = get(files::INDEX)?;
        // Names are checked before anything is fetched by them.
        for shard in shards::read_index(&index)?.into_values().collect::<BTreeSet<_>>() {
            get(&shard)?;
        }
    }
    Ok(())
}

/// What went wrong, and the way out.
fn told(id: &HubId, error: &ApiError) -> Error {
    let advice = match error {
        ApiError::RequestError(inner) => match **inner {
            ureq::Error::StatusCode(401 | 403) => {
                "the model is private or needs a licence to be accepted: log in with Hugging Face's tools or set HF_TOKEN"
            }
            ureq::Error::StatusCode(404) => "there is no such model or revision",
            _ => "is there a network? Otherwise download it elsewhere, and name the folder or a GGUF file",
        },
        _ => "download it with another tool, and name the folder or a GGUF file",
    };
    Error::usage(format!("{} cannot be downloaded: {error}; {advice}", id.repository))
}
