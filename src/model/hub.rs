//! Models by their name on the Hugging Face hub. The user's own cache comes first (`HF_HUB_CACHE`, `HF_HOME`); the network
//! is asked only by [`fetch`] and [`locate`], only for what the cache lacks, and never with `HF_HUB_OFFLINE` set.

#[cfg(feature = "hub")]
mod download;

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::shards;
use crate::error::{Error, Result};

/// What a checkpoint's folder must hold besides weights.
const NEEDED: [&str; 2] = ["config.json", "tokenizer.json"];

/// `owner/name` or `owner/name@revision`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubId {
    /// `owner/name`.
    repository: String,
    /// A branch, a tag or a commit.
    revision: String,
}

impl FromStr for HubId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (repository, revision) = text.split_once('@').unwrap_or((text, "main"));
        let plain = |part: &str| {
            let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            !part.is_empty() && part.len() <= 96 && !part.starts_with('.') && part.chars().all(allowed)
        };
        let named = repository.split_once('/').is_some_and(|(owner, name)| plain(owner) && plain(name));
        let revised = revision.split('/').all(plain);
        if !named || !revised {
            return Err(format!("{text:?} is not a name on the hub: owner/name or owner/name@revision"));
        }
        Ok(Self { repository: repository.to_owned(), revision: revision.to_owned() })
    }
}

/// The folder or file of a model that was named by a path or on the hub: the path if there is something, otherwise the cache, which
/// is filled from the network if need be.
///
/// # Errors
/// When the model is not to be had.
pub fn locate(model: &Path) -> Result<PathBuf> {
    match model.to_str() {
        Some(name) if !model.exists() && name.parse::<HubId>().is_ok() => fetch(name),
        _ => Ok(model.to_owned()),
    }
}

/// The folder of a model in the cache.
///
/// # Errors
/// When it is not there, or not whole.
pub fn cached(name: &str) -> Result<PathBuf> {
    let id = parse(name)?;
    Cache::of_user()?
        .find(&id)
        .ok_or_else(|| Error::usage(format!("{name} is not in the cache any more; run it again")))
}

/// The folder of a model in the cache, after a download of what is missing. Progress is shown on stderr.
///
/// # Errors
/// When the cache lacks it, and there is no network, or none is wanted.
pub fn fetch(name: &str) -> Result<PathBuf> {
    let id = parse(name)?;
    let cache = Cache::of_user()?;
    if let Some(folder) = cache.find(&id) {
        return Ok(folder);
    }
    if is_set(std::env::var("HF_HUB_OFFLINE").ok().as_deref()) {
        return Err(Error::usage(format!(
            "{name} is not in the cache ({}), and HF_HUB_OFFLINE is set: unset it, or name a folder or a GGUF file",
            cache.0.display()
        )));
    }
    download(&id, &cache)
}

#[cfg(feature = "hub")]
fn download(id: &HubId, cache: &Cache) -> Result<PathBuf> {
    download::download(id, cache)?;
    cache.find(id).ok_or_else(|| {
        Error::usage(format!(
            "{} was downloaded, and is not a whole checkpoint: it lacks {} or safetensors; name another revision or model",
            id.repository,
            NEEDED.join(", ")
        ))
    })
}

#[cfg(not(feature = "hub"))]
fn download(id: &HubId, cache: &Cache) -> Result<PathBuf> {
    Err(Error::usage(format!(
        "{} is not in the cache ({}), and this program was built without downloads: build with --features hub, download it \
         with another tool, or name a folder or a GGUF file",
        id.repository,
        cache.0.display()
    )))
}

fn parse(name: &str) -> Result<HubId> {
    name.parse().map_err(|problem: String| Error::usage(problem))
}

/// How Hugging Face's own tools read a flag.
fn is_set(value: Option<&str>) -> bool {
    value.is_some_and(|v| matches!(v.to_ascii_uppercase().as_str(), "1" | "ON" | "YES" | "TRUE"))
}

/// The user's cache: `models--owner--name/{refs/REVISION, snapshots/COMMIT/…}` a model.
#[derive(Debug)]
struct Cache(PathBuf);

impl Cache {
    fn of_user() -> Result<Self> {
        let folder = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
        folder("HF_HUB_CACHE")
            .or_else(|| folder("HF_HOME").map(|home| home.join("hub")))
            .or_else(|| folder("XDG_CACHE_HOME").map(|cache| cache.join("huggingface/hub")))
            .or_else(|| std::env::home_dir().map(|home| home.join(".cache/huggingface/hub")))
            .map(Self)
            .ok_or_else(|| Error::usage("there is no home folder for the models' cache: set HF_HOME"))
    }

    /// The snapshot of a model, if it is whole.
    fn find(&self, id: &HubId) -> Option<PathBuf> {
        let model = self.0.join(format!("models--{}", id.repository.replace('/', "--")));
        // A revision is a name that leads to a commit, or the commit itself.
        let commit = std::fs::read_to_string(model.join("refs").join(&id.revision))
            .map_or_else(|_| id.revision.clone(), |commit| commit.trim().to_owned());
        let plain = commit.chars().all(|c| c.is_ascii_alphanumeric());
        let folder = model.join("snapshots").join(&commit);
        let whole = || NEEDED.iter().all(|file| folder.join(file).is_file()) && shards::open(&folder).is_ok();
        (plain && whole()).then_some(folder)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::path::Path;

    use super::{Cache, HubId, is_set};
    use crate::model::family::tests::folder;

    #[test]
    fn names_are_what_the_hub_calls_names() {
        let id: HubId = "EleutherAI/pythia-410m@step3000".parse().unwrap();
        assert_eq!((id.repository.as_str(), id.revision.as_str()), ("EleutherAI/pythia-410m", "step3000"));
        assert_eq!("a/b".parse::<HubId>().unwrap().revision, "main");
        for bad in
            ["", "a", "a/b/c", "../b", "a/..", "a/b@..", "a/b@../../x", "a/b@", "/b", "a/b c", "./model", "a\\b/c"]
        {
            assert!(bad.parse::<HubId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn flags_are_read_as_hugging_face_reads_them() {
        assert_eq!([None, Some(""), Some("0"), Some("off")].map(is_set), [false; 4]);
        assert_eq!([Some("1"), Some("true"), Some("YES"), Some("On")].map(is_set), [true; 4]);
    }

    #[test]
    fn a_model_is_found_once_it_is_whole() {
        let home = tempfile::tempdir().unwrap();
        let cache = Cache(home.path().to_owned());
        let model = home.path().join("models--owner--tiny");
        let snapshot = model.join("snapshots/0123abc");
        std::fs::create_dir_all(model.join("refs")).unwrap();
        std::fs::create_dir_all(&snapshot).unwrap();
        std::fs::write(model.join("refs/main"), "0123abc\n").unwrap();
        let by_name: HubId = "owner/tiny".parse().unwrap();
        let copy = |name: &str| std::fs::copy(folder().join("gpt2").join(name), snapshot.join(name)).unwrap();
        copy("config.json");
        copy("tokenizer.json");
        assert_eq!(cache.find(&by_name), None, "the weights are missing");
        copy("model.safetensors");
        assert_eq!(cache.find(&by_name).as_deref(), Some(Path::new(&snapshot)));
        assert_eq!(cache.find(&"owner/tiny@0123abc".parse().unwrap()), Some(snapshot));
        assert_eq!(cache.find(&"owner/tiny@other".parse().unwrap()), None);
        std::fs::write(model.join("refs/main"), "../../elsewhere").unwrap();
        assert_eq!(cache.find(&by_name), None, "a commit is no path");
    }
}
