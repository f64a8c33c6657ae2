use std::{collections::BTreeSet, sync::atomic::AtomicBool};

use serde_json::{Value, json};

use super::*;

/// What a function that speaks the Runtime API does with an event.
pub(crate) enum Reply {
    Answer(Value),
    Text(&'static str),
    Error(&'static str),
    /// Takes this long before it answers `null`.
    Slowly(Duration),
    Exit,
}

/// A function in this process: everything but the process is real.
pub(crate) fn speaking(handler: impl Fn(Value) -> Reply + Send + Sync + 'static) -> Launch {
    let handler = Arc::new(handler);
    Arc::new(move |address| {
        let handler = Arc::clone(&handler);
        Ok(Box::pin(async move {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            let base = format!("http://{address}/2018-06-01/runtime/invocation");
            loop {
                let Ok(next) = client.get(format!("{base}/next")).send().await else {
                    return "no next invocation".to_owned();
                };
                let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
                let event = serde_json::from_slice(&next.bytes().await.unwrap()).unwrap();
                let (path, body) = match handler(event) {
                    Reply::Answer(answer) => ("response", answer.to_string()),
                    Reply::Text(text) => ("response", text.to_owned()),
                    Reply::Error(message) => {
                        ("error", json!({ "errorMessage": message, "errorType": "E" }).to_string())
                    }
                    Reply::Slowly(pause) => {
                        tokio::time::sleep(pause).await;
                        ("response", "null".to_owned())
                    }
                    Reply::Exit => return "exit status: 1".to_owned(),
                };
                let status =
                    client.post(format!("{base}/{id}/{path}")).body(body).send().await.unwrap().status();
                assert!(status == 202 || status == 400, "{status}");
            }
        }))
    })
}

fn start(launch: Launch) -> Function {
    Function::start("test", launch, 2, Duration::from_secs(10))
}

async fn invoke(function: &Function, event: Value) -> Answer {
    function.invoke(Bytes::from(event.to_string())).await
}

#[tokio::test]
async fn an_event_is_answered_again_and_again() {
    let function = start(speaking(|event| Reply::Answer(json!({ "echo": event }))));
    for round in 0..3 {
        assert_eq!(
            invoke(&function, json!(round)).await,
            Ok(Bytes::from(json!({ "echo": round }).to_string()))
        );
    }
    assert_eq!(function.lock().len(), 1);
}

#[tokio::test]
async fn an_error_keeps_its_message() {
    let function = start(speaking(|_| Reply::Error("Unauthorized")));
    assert_eq!(
        invoke(&function, json!({})).await,
        Err(InvokeError::Function { message: "Unauthorized".to_owned() })
    );
}

#[tokio::test]
async fn a_process_that_dies_fails_its_invocation_and_is_started_again() {
    let died = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&died);
    let function = start(speaking(move |_| {
        if seen.swap(true, Ordering::SeqCst) { Reply::Answer(json!("back")) } else { Reply::Exit }
    }));
    assert_eq!(invoke(&function, json!({})).await, Err(InvokeError::Exited));
    let mut answer = invoke(&function, json!({})).await;
    for _ in 0..100 {
        if answer.is_ok() {
            break;
        }
        assert_eq!(answer, Err(InvokeError::Exited), "meanwhile it fails at once");
        tokio::time::sleep(Duration::from_millis(20)).await;
        answer = invoke(&function, json!({})).await;
    }
    assert_eq!(answer, Ok(Bytes::from("\"back\"")));
}

#[tokio::test]
async fn a_process_that_cannot_start_fails_what_is_asked_of_it() {
    let function = start(Arc::new(|_| Err(std::io::Error::other("no such program"))));
    assert_eq!(invoke(&function, json!({})).await, Err(InvokeError::Exited));
}

#[tokio::test]
async fn an_invocation_that_is_overdue_ends_its_process() {
    let late = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&late);
    let launch = speaking(move |_| {
        if seen.swap(true, Ordering::SeqCst) {
            Reply::Answer(json!(1))
        } else {
            Reply::Slowly(Duration::from_secs(600))
        }
    });
    let function = Function::start("test", launch, 1, Duration::from_millis(300));
    assert_eq!(invoke(&function, json!({})).await, Err(InvokeError::TimedOut));
    let mut answer = Err(InvokeError::Exited);
    for _ in 0..100 {
        answer = invoke(&function, json!({})).await;
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(answer, Ok(Bytes::from("1")));
}

#[tokio::test]
async fn concurrent_invocations_get_processes_of_their_own_up_to_the_limit() {
    let processes = Arc::new(Mutex::new(BTreeSet::new()));
    let seen = Arc::clone(&processes);
    let slow = speaking(|_| Reply::Slowly(Duration::from_millis(100)));
    let launch: Launch = Arc::new(move |address| {
        seen.lock().unwrap().insert(address);
        slow(address)
    });
    let function = start(launch);
    let answers = futures_util::future::join_all((0..5).map(|_| invoke(&function, json!({})))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(processes.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_the_runtime_api_says_is_what_lambda_says() {
    let (address, at) = oneshot::channel();
    let address = Mutex::new(Some(address));
    // A process that does nothing: the test speaks for it.
    let launch: Launch = Arc::new(move |runtime_api| {
        if let Some(address) = address.lock().unwrap().take() {
            address.send(runtime_api).unwrap();
        }
        Ok(Box::pin(std::future::pending()))
    });
    let function = Arc::new(start(launch));
    let base = format!("http://{}/2018-06-01/runtime", at.await.unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let asked = Arc::clone(&function);
    let asking = tokio::spawn(async move { invoke(&asked, json!({ "a": 1 })).await });
    let next = client.get(format!("{base}/invocation/next")).send().await.unwrap();
    assert_eq!(next.status(), 200);
    let header = |name: &str| next.headers()[name].to_str().unwrap().to_owned();
    let id = header("lambda-runtime-aws-request-id");
    let deadline: u128 = header("lambda-runtime-deadline-ms").parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    assert!(deadline > now && deadline <= now + 10_000, "{deadline} {now}");
    assert_eq!(
        header("lambda-runtime-invoked-function-arn"),
        "arn:aws:lambda:local-1:000000000000:function:test"
    );
    assert!(header("lambda-runtime-trace-id").starts_with("Root=1-"));
    assert_eq!(next.text().await.unwrap(), "{\"a\":1}");

    let post = |path: String, body: &'static str| client.post(format!("{base}/{path}")).body(body).send();
    let unknown = post("invocation/nobody/response".to_owned(), "1").await.unwrap();
    assert_eq!(unknown.status(), 400);
    assert!(unknown.text().await.unwrap().contains("InvalidRequestID"));
    assert_eq!(post(format!("invocation/{id}/response"), "{\"b\":2}").await.unwrap().status(), 202);
    assert_eq!(asking.await.unwrap(), Ok(Bytes::from("{\"b\":2}")));
    assert_eq!(
        post(format!("invocation/{id}/response"), "3").await.unwrap().status(),
        400,
        "answered already"
    );
    assert_eq!(post("init/error".to_owned(), "not json").await.unwrap().status(), 202);

    // An answer that is too large fails the invocation.
    let asked = Arc::clone(&function);
    let asking = tokio::spawn(async move { invoke(&asked, json!({})).await });
    let next = client.get(format!("{base}/invocation/next")).send().await.unwrap();
    let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
    let large = client
        .post(format!("{base}/invocation/{id}/response"))
        .body(vec![b'1'; 6 * 1024 * 1024 + 1])
        .send()
        .await;
    // The server may stop reading before the client has sent everything.
    assert!(large.is_err() || large.is_ok_and(|large| large.status() == 413));
    assert_eq!(asking.await.unwrap(), Err(InvokeError::TooLarge));
}
