//! Reading no more than we agreed to read.

use futures_util::StreamExt;
use worker::ByteStream;

/// Why a body was not read to its end.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// It is longer than the cap.
    TooLarge,
    /// The connection failed.
    Broken,
}

/// Reads a stream of at most `cap` bytes, counting as they come: a length header may be missing or wrong.
pub(crate) async fn read_capped(mut stream: ByteStream, cap: usize) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|_| BodyError::Broken)?;
        if body.len() + chunk.len() > cap {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
