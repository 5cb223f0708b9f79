//! Models by name: from the cache, from a hub that answers on this machine, and from none.

use std::path::Path;
use std::process::{Command, Output};

const ROW: &str = "{\"prompt_ids\": [7, 8], \"ids\": [9, 10]}\n";

/// Scores a row under a model by name, with a cache in `home` and the hub at `endpoint`.
fn score(home: &Path, endpoint: &str, offline: bool, model: &str) -> Output {
    std::fs::write(home.join("rows.jsonl"), ROW).unwrap();
    Command::new(env!("CARGO_BIN_EXE_ldyn-tui"))
        .args(["score", "--model", model, "--data", "rows.jsonl", "--backend", "flex"])
        .current_dir(home)
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_TOKEN")
        .env("HF_HOME", home.join("hf"))
        .env("HF_ENDPOINT", endpoint)
        .env("HF_HUB_OFFLINE", if offline { "1" } else { "0" })
        .output()
        .unwrap()
}

fn refused(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    said
}

#[test]
fn without_a_network_the_error_says_what_to_do() {
    let home = tempfile::tempdir().unwrap();
    let nowhere = "http://127.0.0.1:9";
    let said = refused(&score(home.path(), nowhere, true, "owner/tiny"));
    assert!(said.contains("owner/tiny is not in the cache") && said.contains("HF_HUB_OFFLINE is set"), "{said}");
    let said = refused(&score(home.path(), nowhere, false, "owner/tiny"));
    let expected = if cfg!(feature = "hub") { "is there a network?" } else { "was built without downloads" };
    assert!(said.contains(expected), "{said}");
    // What looks like no name is a path.
    let said = refused(&score(home.path(), nowhere, false, "some/where/else"));
    assert!(said.contains("some/where/else: is neither a folder nor a file"), "{said}");
}

/// Answers as the hub does, for one model, until the test ends; counts the requests.
#[cfg(feature = "hub")]
mod server {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    pub struct Hub {
        pub endpoint: String,
        pub requests: Arc<AtomicUsize>,
    }

    impl Hub {
        pub fn of(folder: PathBuf) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let requests = Arc::new(AtomicUsize::new(0));
            let counter = Arc::clone(&requests);
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    counter.fetch_add(1, Ordering::Relaxed);
                    answer(stream.unwrap(), &folder);
                }
            });
            Self { endpoint, requests }
        }
    }

    fn answer(mut stream: TcpStream, folder: &Path) {
        let lines: Vec<String> =
            BufReader::new(&stream).lines().map(Result::unwrap).take_while(|line| !line.is_empty()).collect();
        let path = lines[0].split(' ').nth(1).unwrap().to_owned();
        let range =
            lines.iter().find_map(|line| line.to_ascii_lowercase().strip_prefix("range: bytes=").map(str::to_owned));
        let (status, headers, body) = if path.starts_with("/api/models/owner/tiny") {
            let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
            let siblings: Vec<_> = names.map(|n| format!("{{\"rfilename\": {n:?}}}")).collect();
            let json = format!("{{\"sha\": \"0123abc\", \"siblings\": [{}]}}", siblings.join(","));
            ("200 OK", String::new(), json.into_bytes())
        } else if let Some(name) = path.strip_prefix("/owner/tiny/resolve/main/") {
            let whole = std::fs::read(folder.join(name)).unwrap();
            let (from, to) = range.as_deref().unwrap_or("0-").split_once('-').unwrap();
            let from: usize = from.parse().unwrap();
            let to = to.parse().map_or(whole.len(), |to: usize| to + 1);
            let headers = format!(
                "ETag: \"etag-{name}\"\r\nX-Repo-Commit: 0123abc\r\nContent-Range: bytes {from}-{}/{}\r\n",
                to - 1,
                whole.len()
            );
            ("206 Partial Content", headers, whole[from..to].to_vec())
        } else {
            ("404 Not Found", String::new(), Vec::new())
        };
        let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        // A client that has read enough may have gone.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
    }
}

#[cfg(feature = "hub")]
#[test]
fn a_model_is_downloaded_once_and_then_lies_in_the_cache() {
    use std::sync::atomic::Ordering;

    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/families");
    // A sharded one: the index is read before the shards are asked for.
    let hub = server::Hub::of(seeds.join("qwen2"));
    let home = tempfile::tempdir().unwrap();
    let first = score(home.path(), &hub.endpoint, false, "owner/tiny");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    let requests = hub.requests.load(Ordering::Relaxed);
    assert!(requests > 0);
    let second = score(home.path(), &hub.endpoint, true, "owner/tiny@main");
    assert!(second.status.success(), "{}", String::from_utf8_lossy(&second.stderr));
    assert_eq!(second.stdout, first.stdout);
    assert_eq!(hub.requests.load(Ordering::Relaxed), requests, "nothing is asked for twice");
    let said = refused(&score(home.path(), &hub.endpoint, false, "owner/other"));
    assert!(said.contains("there is no such model or revision"), "{said}");
}
