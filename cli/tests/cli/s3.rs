//! Objects in S3, by a server that answers as S3 does to HEAD and GET.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex};

use crate::folder::{Folder, Run};

const BODY: &str = "id,amount,note\n1,1.50,a\n2,x,b\n";

/// Serves one object for as long as the test runs; the endpoint, and the requests it got.
fn serve() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let seen = seen.clone();
            std::thread::spawn(move || answer(stream.unwrap(), &seen));
        }
    });
    (endpoint, requests)
}

fn answer(mut stream: TcpStream, seen: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request).unwrap_or(0) == 0 {
            return;
        }
        loop {
            let mut header = String::new();
            if reader.read_line(&mut header).unwrap_or(0) == 0 || header == "\r\n" {
                break;
            }
        }
        let mut words = request.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let path = target.split('?').next().unwrap();
        seen.lock().unwrap().push(format!("{method} {path}"));
        let found = path == "/landing/orders/a.csv";
        let body = if found { BODY } else { "" };
        let status = if found { "200 OK" } else { "404 Not Found" };
        let head = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {}\r\nETag: \"e1\"\r\n\
             Last-Modified: Sat, 21 Nov 2026 08:00:00 GMT\r\n\r\n",
            body.len()
        );
        let body = if method == "HEAD" { "" } else { body };
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

fn with_credentials(command: &mut Command, endpoint: &str) -> Run {
    Run::of(
        command
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_REGION", "eu-west-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test"),
    )
}

#[test]
fn an_object_is_checked_with_its_lines_in_context() {
    let (endpoint, requests) = serve();
    let folder = Folder::with_orders();
    let mut command = folder.command(&["check", "s3://landing/orders/a.csv", "-c", "orders.yaml"]);
    with_credentials(&mut command, &endpoint)
        .exits(1)
        .says("s3://landing/orders/a.csv: rejected (File.BadRows): 1 of 2 rows ")
        .says("    2 | 1,1.50,a\n  > 3 | 2,x,b\n");
    let requests = requests.lock().unwrap();
    assert_eq!(requests[0], "HEAD /landing/orders/a.csv");
    assert!(requests.contains(&"GET /landing/orders/a.csv".to_owned()), "{requests:?}");
}

#[test]
fn an_object_that_is_not_there_cannot_be_checked() {
    let (endpoint, _) = serve();
    let folder = Folder::with_orders();
    let mut command = folder.command(&["check", "s3://landing/orders/b.csv", "-c", "orders.yaml"]);
    with_credentials(&mut command, &endpoint)
        .exits(2)
        .says("s3://landing/orders/b.csv: could not be checked: cannot read ");
}

/// Profiles and credentials are looked for when an object is asked for, and not before.
#[test]
fn a_check_of_files_asks_nobody() {
    let (endpoint, requests) = serve();
    let folder = Folder::with_orders().file("a.csv", BODY);
    let mut command = folder.command(&["check", "a.csv", "-c", "orders.yaml"]);
    with_credentials(&mut command, &endpoint).exits(1);
    assert_eq!(*requests.lock().unwrap(), Vec::<String>::new());
}
