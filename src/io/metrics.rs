//! Figures over HTTP, for Prometheus: one page, `GET /metrics`, and nothing else. Bounded by hand, because there is
//! nothing to configure, to route or to keep alive: a request of at most 4 KiB within 5 s, eight at a time, one answer,
//! and the connection is closed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// The longest request, in bytes.
const MAX_REQUEST: usize = 4 * 1024;
/// How many are served at once; others wait to be accepted.
const MAX_AT_ONCE: usize = 8;
/// For how long one may take, reading and writing.
const PATIENCE: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(5) };

/// Somebody wants the page: send it here.
pub type Asked = oneshot::Sender<String>;

/// The listener. Dropped, it closes.
pub struct Metrics {
    asked: mpsc::Receiver<Asked>,
    task: tokio::task::JoinHandle<()>,
    at: SocketAddr,
}

impl Metrics {
    /// Listens.
    ///
    /// # Errors
    /// As the system says.
    pub async fn listen(at: SocketAddr) -> std::io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let at = listener.local_addr()?;
        let (ask, asked) = mpsc::channel(MAX_AT_ONCE);
        let task = tokio::spawn(accept(listener, ask));
        Ok(Self { asked, task, at })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// The next who wants the page; never, once the listener is gone.
    pub async fn next(&mut self) -> Asked {
        match self.asked.recv().await {
            Some(asked) => asked,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Metrics {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, ask: mpsc::Sender<Asked>) {
    let places = Arc::new(Semaphore::new(MAX_AT_ONCE));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            // No file descriptor left, for example: it passes.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let ask = ask.clone();
        tokio::spawn(async move {
            let _ = timeout(PATIENCE, serve(stream, ask)).await;
            drop(place);
        });
    }
}

async fn serve(mut stream: TcpStream, ask: mpsc::Sender<Asked>) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut piece = [0; 1024];
    while !request.windows(4).any(|w| w == b"\r\n\r\n") {
        let read = stream.read(&mut piece).await?;
        request.extend_from_slice(piece.get(..read).unwrap_or_default());
        if read == 0 || request.len() > MAX_REQUEST {
            return answer(&mut stream, "400 Bad Request", "").await;
        }
    }
    let line = request.split(|b| *b == b'\r').next().unwrap_or_default();
    let mut words = line.split(|b| *b == b' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = target.split(|b| *b == b'?').next().unwrap_or_default();
    match (method, path) {
        (b"GET", b"/metrics") => {
            let (page, wanted) = oneshot::channel();
            let sent = ask.send(page).await.is_ok();
            match wanted.await {
                Ok(text) if sent => answer(&mut stream, "200 OK", &text).await,
                _ => answer(&mut stream, "503 Service Unavailable", "").await,
            }
        }
        (b"GET", _) => answer(&mut stream, "404 Not Found", "/metrics is all there is\n").await,
        _ => answer(&mut stream, "405 Method Not Allowed", "").await,
    }
}

async fn answer(stream: &mut TcpStream, status: &str, body: &str) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(at: SocketAddr, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        // A refusal may come while we still write.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test]
    async fn one_page_is_told_and_everything_else_is_refused() {
        let mut metrics = Metrics::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let at = metrics.address();
        let told = tokio::spawn(async move {
            loop {
                let asked = metrics.next().await;
                let _ = asked.send("calls 3\n".to_owned());
            }
        });
        let page = ask(at, b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n").await;
        assert!(page.starts_with("HTTP/1.1 200 OK\r\n") && page.ends_with("\r\n\r\ncalls 3\n"), "{page}");
        for (request, status) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], "404"),
            (b"POST /metrics HTTP/1.1\r\n\r\n", "405"),
            (b"\r\n\r\n", "405"),
            (&[b'x'; 5_000], "400"),
        ] {
            let page = ask(at, request).await;
            assert!(page.starts_with(&format!("HTTP/1.1 {status} ")), "{page}");
        }
        told.abort();
    }

    #[tokio::test]
    async fn who_says_nothing_is_cut_off_and_holds_nobody_up() {
        let mut metrics = Metrics::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
        let at = metrics.address();
        let mut silent = Vec::new();
        for _ in 0..MAX_AT_ONCE {
            silent.push(TcpStream::connect(at).await.unwrap());
        }
        tokio::spawn(async move {
            let asked = metrics.next().await;
            let _ = asked.send("1\n".to_owned());
            std::future::pending::<()>().await;
        });
        assert!(ask(at, b"GET /metrics HTTP/1.0\r\n\r\n").await.ends_with("1\n"));
    }
}
