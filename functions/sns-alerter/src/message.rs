//! The alert laid out: a subject, a text for email, a document for chat.

use landfall_messages::{AlertKind, AlertRequest};
use serde_json::{Map, Value, json};

use crate::limits::{
    DESCRIPTION_CHARS, EMAIL_BYTES, ENDING_CHARS, FILES_NAMED, KEYWORD_CHARS, NEXT_STEP_CHARS,
    NEXT_STEPS, RESOURCE_CHARS, SMS_CHARS, SUMMARY_CHARS, THREAD_CHARS, TITLE_CHARS, address, cut,
    cut_bytes, one_line, subject,
};
use crate::story::{Story, tell};

/// One alert, worded for each kind of subscriber.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// Subject of the email: at most 100 printable ASCII characters.
    pub subject: String,
    /// Plain text for email.
    pub email: String,
    /// Amazon Q Developer's custom notification
    /// (<https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>).
    pub chat: Value,
    /// One line, for a phone.
    pub sms: String,
}

impl Message {
    /// The message body for `MessageStructure: json`.
    ///
    /// Amazon Q Developer in chat subscribes over HTTPS, which takes `default`, as queues and
    /// functions do: machines get the document, people the text
    /// (<https://docs.aws.amazon.com/sns/latest/dg/sns-send-custom-platform-specific-payloads-mobile-devices.html>).
    pub fn per_protocol(&self) -> String {
        json!({ "default": self.chat.to_string(), "email": self.email, "sms": self.sms })
            .to_string()
    }
}

/// Words the alert. `region` is where the function runs; a link follows the execution's ARN.
pub fn compose(request: &AlertRequest, kind: AlertKind, region: &str) -> Message {
    let story = tell(request, kind, region);
    Message {
        subject: subject(&format!("[Landfall {}] {}", kind.name(), story.headline)),
        email: cut_bytes(&email(request, &story), EMAIL_BYTES),
        chat: chat(request, kind, &story),
        sms: cut(&format!("Landfall {}: {}", kind.name(), story.headline), SMS_CHARS),
    }
}

fn email(request: &AlertRequest, story: &Story) -> String {
    let mut lines = vec![story.headline.clone(), String::new()];
    lines.extend(story.happened.iter().cloned());
    if !story.next_steps.is_empty() {
        lines.extend([String::new(), "Next step".to_owned()]);
        lines.extend(story.next_steps.iter().map(|step| format!("  {step}")));
    }
    // One line each, however long: a command broken over lines cannot be pasted.
    for command in &story.commands {
        lines.extend([String::new(), format!("{}:", command.purpose), command.line.clone()]);
    }
    if !story.files.is_empty() {
        lines.extend([String::new(), "Files".to_owned()]);
        for file in &story.files {
            lines.push(format!("  {}", file.address));
            lines.push(format!("    {}", file.outcome));
            lines.extend(file.details.iter().map(|detail| format!("    - {detail}")));
        }
        if story.more_files > 0 {
            lines.push(format!("  and {} more", story.more_files));
        }
    }
    if !story.changes.is_empty() {
        lines.extend([String::new(), "Schema changes".to_owned()]);
        lines.extend(story.changes.iter().map(|change| format!("  - {change}")));
    }
    lines.extend([
        String::new(),
        "Execution".to_owned(),
        format!("  {}", story.link),
        format!("  batch {}", request.batch.id),
    ]);
    // An intake problem is about contracts, and names them itself.
    let contract = &request.batch.contract;
    if request.check.is_some() && !contract.key.is_empty() {
        let contract = address(&format!("s3://{}/{}", contract.bucket, contract.key));
        lines.push(format!("  contract {contract}"));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

fn chat(request: &AlertRequest, kind: AlertKind, story: &Story) -> Value {
    let sign = match kind {
        AlertKind::Success => "✅",
        AlertKind::Quarantine => "⚠️",
        AlertKind::Rejection => "⛔",
        AlertKind::Review => "✋",
        AlertKind::Failure => "❌",
    };
    let headline = plain(&story.headline);
    let mut content = json!({
        "textType": "client-markdown",
        "title": cut(&format!("{sign} {headline}"), TITLE_CHARS),
        "description": description(story),
        "keywords": [
            cut(&plain(&one_line(&request.batch.dataset)), KEYWORD_CHARS),
            kind.name(),
            kind.severity(),
        ],
    });
    if !story.next_steps.is_empty() {
        content["nextSteps"] = story
            .next_steps
            .iter()
            .take(NEXT_STEPS)
            .map(|step| cut(step, NEXT_STEP_CHARS))
            .collect();
    }
    json!({
        "version": "1.0",
        "source": "custom",
        "content": content,
        "metadata": {
            "threadId": cut(&request.batch.id, THREAD_CHARS),
            "summary": cut(&headline, SUMMARY_CHARS),
            "eventType": format!("landfall.{}", kind.name()),
            "relatedResources": related_resources(request),
            "additionalContext": additional_context(request, kind),
        },
    })
}

/// The commands and the link are what a reader acts on, so the rest gives way to them.
fn description(story: &Story) -> String {
    let mut end = String::new();
    for command in &story.commands {
        end.push_str(&format!("\n\n{}:\n```\n{}\n```", command.purpose, command.line));
    }
    let link = format!("\n\n{}", cut(&story.link, RESOURCE_CHARS));
    if end.chars().count() + link.chars().count() > ENDING_CHARS {
        end = "\n\nThe commands are too long for chat: see the email.".to_owned();
    }
    end.push_str(&link);

    let mut lines: Vec<String> = story.happened.iter().map(|sentence| plain(sentence)).collect();
    if !story.files.is_empty() {
        lines.push(String::new());
        for file in &story.files {
            lines.push(format!("• `{}`: {}", plain(&file.address), plain(&file.outcome)));
            lines.extend(file.details.iter().map(|detail| format!("    ◦ {}", plain(detail))));
        }
        if story.more_files > 0 {
            lines.push(format!("• and {} more", story.more_files));
        }
    }
    if !story.changes.is_empty() {
        lines.extend([String::new(), "Schema changes:".to_owned()]);
        lines.extend(story.changes.iter().map(|change| format!("• {}", plain(change))));
    }
    let room = DESCRIPTION_CHARS - end.chars().count().min(DESCRIPTION_CHARS);
    cut(&lines.join("\n"), room) + &end
}

/// Text that a chat program shows as it is. In Slack `<!channel>` in a file's name would call
/// a whole channel, and a backtick would end the code span it stands in.
fn plain(text: &str) -> String {
    text.replace('<', "‹").replace('>', "›").replace('`', "'")
}

fn related_resources(request: &AlertRequest) -> Vec<String> {
    let table = request.append.as_ref().map(|append| &append.table);
    let table = table.map(|table| format!("{}.{}", table.database, table.table));
    let files = request.batch.objects.iter().take(FILES_NAMED).map(|object| object.path());
    std::iter::once(request.execution.arn.clone())
        .chain(table)
        .chain(files)
        .map(|resource| cut(&plain(&address(&resource)), RESOURCE_CHARS))
        .collect()
}

fn additional_context(request: &AlertRequest, kind: AlertKind) -> Map<String, Value> {
    let mut context = Map::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            context.insert(name.to_owned(), cut(&plain(&one_line(&value)), RESOURCE_CHARS).into());
        }
    };
    let append = request.append.as_ref();
    add("kind", Some(kind.name().to_owned()));
    add("severity", Some(kind.severity().to_owned()));
    add("dataset", Some(request.batch.dataset.clone()));
    add("batchId", Some(request.batch.id.clone()));
    add("files", Some(request.batch.objects.len().to_string()));
    add("rows", append.map(|append| append.rows.to_string()));
    add("snapshotId", append.and_then(|append| append.snapshot_id.clone()));
    add("error", request.failure.as_ref().map(|failure| failure.error.clone()));
    context
}

#[cfg(test)]
mod tests;
