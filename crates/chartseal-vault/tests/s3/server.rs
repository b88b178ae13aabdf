//! A server for tests and benches, which is not ours.

use std::env;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// A server that speaks S3: <https://github.com/getmoto/moto>. It ends with this.
pub(crate) struct Server {
    program: PathBuf,
    process: Child,
    port: u16,
}

impl Server {
    /// One out of a target folder. `None`, and it is said, where it is not installed.
    pub(crate) fn start(target: &Path) -> Option<Self> {
        let program = target.join("s3/venv/bin/moto_server");
        if !program.exists() {
            let required = env::var_os("CI").is_some_and(|set| set == "true");
            let program = program.display();
            assert!(!required, "`cargo xtask test` installs {program}");
            eprintln!("not run: {program} is missing; `cargo xtask test` installs it");
            return None;
        }
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let process = run(&program, port);
        let server = Self {
            program,
            process,
            port,
        };
        server.await_start();
        Some(server)
    }

    /// Starts another one where it was, which has nothing.
    #[allow(dead_code, reason = "not everybody ends it")]
    pub(crate) fn start_again(&mut self) {
        self.stop();
        self.process = run(&self.program, self.port);
        self.await_start();
    }

    fn await_start(&self) {
        for _ in 0..600 {
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("the server does not start");
    }

    /// Where it listens, on loopback.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Makes a bucket, as anybody: it takes any credentials.
    pub(crate) fn make_bucket(&self, name: &str) {
        let answer = self.ask(&format!("PUT /{name}"), "", "");
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// What a bucket holds, as the server lists it (XML).
    #[allow(dead_code, reason = "not everybody looks")]
    pub(crate) fn list(&self, bucket: &str) -> String {
        self.ask(&format!("GET /{bucket}?list-type=2"), "", "")
    }

    /// The uploads in parts to a bucket that were begun and did not end, as the server lists them (XML).
    #[allow(dead_code, reason = "not everybody looks")]
    pub(crate) fn list_uploads(&self, bucket: &str) -> String {
        self.ask(&format!("GET /{bucket}?uploads"), "", "")
    }

    /// From now on it checks who asks, and that they signed it: the id and the secret of a key that may do anything in S3.
    #[allow(dead_code, reason = "not everybody closes it")]
    pub(crate) fn close(&self) -> (String, String) {
        // Which service is meant stands in whose signature it would be.
        let iam = "authorization: AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, \
                   Signature=x\r\ncontent-type: application/x-www-form-urlencoded\r\n";
        let policy = "%7B%22Version%22%3A%222012-10-17%22%2C%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C\
                      %22Action%22%3A%22s3%3A%2A%22%2C%22Resource%22%3A%22%2A%22%7D%7D";
        let act = |words: &str| {
            let answer = self.ask("POST /", iam, &format!("Version=2010-05-08&{words}"));
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
            answer
        };
        act("Action=CreateUser&UserName=node");
        act(&format!(
            "Action=PutUserPolicy&UserName=node&PolicyName=all&PolicyDocument={policy}"
        ));
        let made = act("Action=CreateAccessKey&UserName=node");
        let part = |name: &str| {
            let (_, rest) = made.split_once(&format!("<{name}>")).unwrap();
            rest.split_once('<').unwrap().0.to_owned()
        };
        let key = (part("AccessKeyId"), part("SecretAccessKey"));
        let closed = self.ask("POST /moto-api/reset-auth", "", "0");
        assert!(closed.starts_with("HTTP/1.1 200"), "{closed}");
        key
    }

    fn ask(&self, what: &str, headers: &str, body: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let length = body.len();
        let head = format!(
            "{what} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
        );
        stream
            .write_all(&[head.as_bytes(), body.as_bytes()].concat())
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Ends it, with all that it holds.
    pub(crate) fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn run(program: &Path, port: u16) -> Child {
    Command::new(program)
        .args(["-H", "127.0.0.1", "-p", &port.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}
