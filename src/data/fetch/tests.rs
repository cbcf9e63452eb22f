use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;
use crate::data::known::IDX_FILES;

/// What the server does with one request.
#[derive(Clone, Copy)]
enum Reply {
    /// Sends what is asked for.
    Serve,
    /// Announces the whole file, sends so many bytes of it and hangs up.
    Cut(usize),
    /// Sends the whole file whatever range is asked for.
    IgnoreRange,
    /// Sends the file with its last byte changed.
    Corrupt,
    /// Answers with this status, to which headers may be added.
    Status(&'static str),
    /// Sends so many zeros, packed.
    Zeros(usize),
    /// Sends a few bytes and then nothing, for as long as the client stays.
    Silence,
}

/// Path and first byte asked for.
type Request = (String, Option<usize>);

/// A server on loopback, and the requests it has seen.
struct Server {
    address: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers the n-th request by `reply(n)`.
    fn start(reply: impl Fn(usize) -> Reply + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        std::thread::spawn(move || {
            for (count, stream) in listener.incoming().enumerate() {
                let mut stream = stream.unwrap();
                let (path, from) = read_request(&stream);
                log.lock().unwrap().push((path.clone(), from));
                answer(&mut stream, &packed(&path), from, reply(count));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

fn read_request(stream: &TcpStream) -> Request {
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let path = lines.next().unwrap().split(' ').nth(1).unwrap().trim_start_matches('/').to_owned();
    let mut from = None;
    for line in lines.take_while(|line| !line.is_empty()) {
        if let Some(range) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = range.trim_end_matches('-').parse().ok();
        }
    }
    (path, from)
}

fn answer(stream: &mut TcpStream, content: &[u8], from: Option<usize>, reply: Reply) {
    let mut content = content.to_vec();
    let (mut status, mut start, mut end) = ("200 OK".to_owned(), 0, content.len());
    match reply {
        Reply::Serve if from.is_some_and(|from| from < content.len()) => {
            start = from.unwrap_or(0);
            status = format!(
                "206 Partial Content\r\nContent-Range: bytes {start}-{}/{}",
                content.len() - 1,
                content.len()
            );
        }
        Reply::Serve if from.is_some() => {
            (status, end) = ("416 Range Not Satisfiable".to_owned(), 0);
        }
        Reply::Serve | Reply::IgnoreRange => {}
        Reply::Cut(bytes) => end = bytes,
        Reply::Corrupt => *content.last_mut().unwrap() ^= 1,
        Reply::Status(text) => (status, end) = (text.to_owned(), 0),
        Reply::Zeros(bytes) => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(&vec![0; bytes]).unwrap();
            content = encoder.finish().unwrap();
            end = content.len();
        }
        Reply::Silence => end = 10,
    }
    let is_cut = matches!(reply, Reply::Cut(_) | Reply::Silence);
    let announced = if is_cut { content.len() } else { end - start };
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {announced}\r\nConnection: close\r\n\r\n");
    // A client that has seen enough may hang up first.
    let _ = stream.write_all(head.as_bytes());
    let _ = stream.write_all(&content[start..end]);
    if matches!(reply, Reply::Silence) {
        // Returns once the client hangs up.
        let _ = stream.read(&mut [0]);
    }
}

/// What the file of this name holds.
fn content(name: &str) -> Vec<u8> {
    name.bytes().cycle().take(5000).chain(0..=255).collect()
}

fn packed(name: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(&content(name.trim_end_matches(".gz"))).unwrap();
    encoder.finish().unwrap()
}

fn options(mirrors: &[&Server]) -> FetchOptions {
    FetchOptions {
        force: false,
        mirrors: mirrors.iter().map(|server| server.address.clone()).collect(),
        pins: IDX_FILES.iter().map(|&n| (n.to_owned(), digest_of(&content(n)))).collect(),
    }
}

fn get(folder: &Path, options: &FetchOptions) -> Result<PathBuf, FetchError> {
    let patience = Patience { file: Duration::from_mins(10), wait: &|_| {} };
    get_patiently(folder, options, &[], patience)
}

/// Fetches with these addresses in place of the built-in ones, and no other.
fn get_patiently(
    folder: &Path,
    options: &FetchOptions,
    built_in: &[&Server],
    patience: Patience<'_>,
) -> Result<PathBuf, FetchError> {
    let agent = configured().proxy(None).build().new_agent();
    let mirrors: Vec<&'static str> =
        built_in.iter().map(|server| &*server.address.clone().leak()).collect();
    let set = KnownSet { mirrors: mirrors.leak(), ..*KnownSet::named("mnist").unwrap() };
    fetch_set(&agent, &set, folder, options, patience, &mut |_| {})
}

#[track_caller]
fn assert_whole(folder: &Path) {
    let mut names: Vec<String> = fs::read_dir(folder.join("mnist"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let mut expected: Vec<String> = IDX_FILES.iter().map(|name| format!("{name}.gz")).collect();
    expected.sort();
    assert_eq!(names, expected);
    for name in expected {
        assert_eq!(fs::read(folder.join("mnist").join(&name)).unwrap(), packed(&name));
    }
}

#[test]
fn the_four_files_arrive_once_and_are_not_asked_for_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| Reply::Serve);
    let found = get(folder.path(), &options(&[&server])).unwrap();
    assert_eq!(found, folder.path().join("mnist"));
    assert_whole(folder.path());
    get(folder.path(), &options(&[&server])).unwrap();
    assert_eq!(server.seen().len(), 4);
    get(folder.path(), &FetchOptions { force: true, ..options(&[&server]) }).unwrap();
    assert_eq!(server.seen().len(), 8);
    assert_whole(folder.path());
}

#[test]
fn a_download_that_was_cut_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|count| if count == 0 { Reply::Cut(2000) } else { Reply::Serve });
    get(folder.path(), &options(&[&server])).unwrap();
    assert_whole(folder.path());
    let first = format!("{}.gz", IDX_FILES[0]);
    assert_eq!(server.seen()[..2], [(first.clone(), None), (first, Some(2000))]);
}

#[test]
fn what_a_failed_run_left_is_used_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|count| if count < 3 { Reply::Cut(1000) } else { Reply::Serve });
    // `Cut` starts at the first byte each time, so three tries end where one did.
    let error = get(folder.path(), &options(&[&server])).unwrap_err().to_string();
    let size = packed(IDX_FILES[0]).len();
    assert!(error.contains(&format!("stopped after 1000 of {size} bytes")), "{error}");
    get(folder.path(), &options(&[&server])).unwrap();
    assert_eq!(server.seen()[3].1, Some(1000));
    assert_whole(folder.path());
}

#[test]
fn a_server_that_knows_no_ranges_sends_everything_again() {
    let folder = tempfile::tempdir().unwrap();
    let server =
        Server::start(|count| if count == 0 { Reply::Cut(2000) } else { Reply::IgnoreRange });
    get(folder.path(), &options(&[&server])).unwrap();
    assert_whole(folder.path());
}

#[test]
fn a_part_that_does_not_fit_is_thrown_away_and_fetched_anew() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|count| if count < 3 { Reply::Cut(1000) } else { Reply::Serve });
    get(folder.path(), &options(&[&server])).unwrap_err();
    let part = fs::read_dir(folder.path().join("mnist")).unwrap().next().unwrap().unwrap().path();
    for garbage in [vec![7; 1000], vec![7; 100_000]] {
        OpenOptions::new().write(true).truncate(true).open(&part).unwrap();
        OpenOptions::new().append(true).open(&part).unwrap().write_all(&garbage).unwrap();
        get(folder.path(), &options(&[&server])).unwrap();
        assert_whole(folder.path());
        fs::remove_file(folder.path().join("mnist").join(format!("{}.gz", IDX_FILES[0]))).unwrap();
        OpenOptions::new().create(true).append(true).open(&part).unwrap();
    }
}

#[test]
fn a_corrupt_download_is_not_kept_and_the_next_mirror_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    let bad = Server::start(|_| Reply::Corrupt);
    let good = Server::start(|_| Reply::Serve);
    let error = get(folder.path(), &options(&[&bad])).unwrap_err().to_string();
    assert!(error.contains("damaged gzip stream"), "{error}");
    assert_eq!(fs::read_dir(folder.path().join("mnist")).unwrap().count(), 0);
    get(folder.path(), &options(&[&bad, &good])).unwrap();
    assert_whole(folder.path());
}

#[test]
fn a_file_with_another_digest_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| Reply::Serve);
    let mut options = options(&[&server]);
    options.pins.insert(IDX_FILES[0].to_owned(), digest_of(b"another"));
    let error = get(folder.path(), &options).unwrap_err().to_string();
    let (found, wanted) = (digest_of(&content(IDX_FILES[0])), digest_of(b"another"));
    assert!(error.contains(&format!("SHA-256 {found}, expected {wanted}")), "{error}");
}

#[test]
fn a_mirror_without_the_file_is_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let bare = Server::start(|_| Reply::Status("404 Not Found"));
    let good = Server::start(|_| Reply::Serve);
    get(folder.path(), &options(&[&bare, &good])).unwrap();
    assert_whole(folder.path());
    assert_eq!(bare.seen().len(), 4, "a missing file is not asked for twice");
}

#[test]
fn without_a_network_the_error_names_every_mirror_and_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let closed = || {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/", listener.local_addr().unwrap())
    };
    let mirrors = vec![closed(), closed()];
    let options = FetchOptions { mirrors: mirrors.clone(), ..FetchOptions::default() };
    let error = get(folder.path(), &options).unwrap_err();
    let text = error.to_string();
    assert!(mirrors.iter().all(|mirror| text.contains(mirror.as_str())), "{text}");
    assert!(text.contains("cannot be reached"), "{text}");
    let hint = error.of("mnist").hint().unwrap();
    assert!(hint.contains("bench data fetch mnist") && hint.contains("--data-dir"), "{hint}");
}

#[test]
fn a_damaged_unpacked_file_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(|_| Reply::Serve);
    fs::create_dir_all(folder.path().join("mnist")).unwrap();
    let plain = folder.path().join("mnist").join(IDX_FILES[0]);
    OpenOptions::new().create(true).append(true).open(plain).unwrap().write_all(b"half").unwrap();
    get(folder.path(), &options(&[&server])).unwrap();
    assert_whole(folder.path());
}

#[test]
fn a_dataset_nobody_publishes_is_an_error_that_lists_those_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let error = fetch("cifar", folder.path(), &FetchOptions::default(), &mut |_| {}).unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(
        cause,
        "`cifar` cannot be downloaded, expected one of `mnist`, `fashion-mnist`, `kmnist`"
    );
}

#[test]
fn mirrors_of_the_user_come_first_and_the_built_in_ones_after_them() {
    let folder = tempfile::tempdir().unwrap();
    let bare = Server::start(|_| Reply::Status("404 Not Found"));
    let built_in = Server::start(|_| Reply::Serve);
    let patience = Patience { file: Duration::from_mins(10), wait: &|_| {} };
    get_patiently(folder.path(), &options(&[&bare]), &[&built_in], patience).unwrap();
    assert_whole(folder.path());
    assert_eq!((bare.seen().len(), built_in.seen().len()), (4, 4));
}

#[test]
fn a_download_that_unpacks_to_more_than_the_file_has_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    // MNIST's training images have 47,040,016 bytes.
    let bomb = Server::start(|_| Reply::Zeros(48_000_000));
    let error = get(folder.path(), &options(&[&bomb])).unwrap_err().to_string();
    assert!(error.contains("gave more than 47040016 unpacked bytes"), "{error}");
    assert_eq!(fs::read_dir(folder.path().join("mnist")).unwrap().count(), 0);
}

#[test]
fn a_server_that_asks_for_patience_gets_it_for_a_while() {
    use std::cell::RefCell;
    let folder = tempfile::tempdir().unwrap();
    let waited = RefCell::new(Vec::new());
    let wait = |pause: Duration| waited.borrow_mut().push(pause.as_secs());
    let patience = Patience { file: Duration::from_mins(10), wait: &wait };
    let busy = "503 Service Unavailable\r\nRetry-After: 7";
    let server =
        Server::start(move |count| if count < 2 { Reply::Status(busy) } else { Reply::Serve });
    get_patiently(folder.path(), &options(&[&server]), &[], patience).unwrap();
    assert_whole(folder.path());
    assert_eq!(waited.take(), [7, 7]);
    for (header, expected) in [
        ("429 Too Many Requests\r\nRetry-After: 86400", "asks to be left alone for 86400 s"),
        ("503 Busy\r\nRetry-After: Wed, 21 Oct 2065 07:28:00 GMT", "left alone until a date"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(move |_| Reply::Status(header));
        let error = get_patiently(folder.path(), &options(&[&server]), &[], patience).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert_eq!((server.seen().len(), waited.take()), (1, vec![]));
    }
}

#[test]
fn a_server_that_points_to_itself_for_ever_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let circle = Server::start(|_| Reply::Status("302 Found\r\nLocation: /again"));
    let good = Server::start(|_| Reply::Serve);
    get(folder.path(), &options(&[&circle, &good])).unwrap();
    assert_whole(folder.path());
    assert_eq!(circle.seen().len(), 4 * (MAX_REDIRECTS as usize + 1));
}

#[test]
fn a_file_takes_no_longer_than_its_time_however_a_server_delays() {
    let folder = tempfile::tempdir().unwrap();
    let silent = Server::start(|_| Reply::Silence);
    let never = Server::start(|_| Reply::Serve);
    let patience = Patience { file: Duration::from_millis(200), wait: &|_| {} };
    let error = get_patiently(folder.path(), &options(&[&silent, &never]), &[], patience);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("was not asked: the 0.2 s for one file are over"), "{error}");
    assert_eq!((silent.seen().len(), never.seen().len()), (1, 0));
}
