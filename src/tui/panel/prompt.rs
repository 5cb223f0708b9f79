//! One prompt: its answers, what the model would say now against the start, and which tokens took or gave probability.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};
use unicode_width::UnicodeWidthStr as _;

use crate::protocol::{Evaluation, MassFlow, ProbeKind, RunStarted, TokenFlow};
use crate::text::Shown;
use crate::tui::app::App;
use crate::tui::panel::{Panel, strip};
use crate::tui::view::text::{Words, change, changed, direction, fit, left, number, panel, title, words, wrap};

/// Columns of the labels at the left.
const LABEL: usize = 12;
/// Words of an answer that are compared with those at the start, at most: what that costs grows with their square.
const COMPARED: usize = 300;

/// A label and its text.
struct Section {
    label: &'static str,
    style: Style,
    words: Words,
}

/// The evaluation that changes are counted from and the one that is shown.
type Between<'a> = (Option<&'a Evaluation>, Option<&'a Evaluation>);

/// Draws the panel.
pub(in crate::tui) fn render(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let focused = app.focus() == Panel::Prompt;
    let visible = app.visible_prompts();
    // A filter that hides the selected prompt shows the first one it lets through.
    let pair = visible.iter().copied().find(|&p| p == app.view.prompt).or(visible.first().copied());
    let at = pair.and_then(|p| visible.iter().position(|&v| v == p)).map_or(0, |i| i + 1);
    let narrow = area.width < 100;
    let of_means = app.shown().run.as_ref().is_some_and(|run| run.means);
    let mut rest = if of_means { "means alone are recorded".to_owned() } else { format!("{at}/{}", visible.len()) };
    if let (false, Some(step)) = (narrow, app.measured_step()) {
        rest += &format!(" · at step {step}");
        rest += if of_means { "" } else { " · j and k choose, PgDn scrolls" };
    }
    if app.view.by_change {
        let [since, short, _] = app.since_in_words();
        let since = if narrow { short } else { since };
        rest =
            format!("{at}/{} by rise of {} {}", visible.len(), app.leaking().symbol(), since.trim_start_matches("Δ "));
    }
    if !app.view.prompt_filter.is_empty() {
        rest = format!("/{} · {rest}", Shown::new(&app.view.prompt_filter));
    }
    let block = panel(title("prompt", rest, focused, theme), focused, theme, app.view.glyphs);
    let inner = block.inner(area);
    let block = pair.map_or_else(|| block.clone(), |p| block.clone().title_top(flags(app, p, narrow).right_aligned()));
    block.render(area, buf);
    let (Some(pair), Some(run)) = (pair, &app.shown().run) else {
        Line::styled(" no prompt with that text", theme.dim()).render(inner, buf);
        return;
    };
    let sections = sections(app, run, pair);
    let width = usize::from(inner.width).saturating_sub(LABEL + 1);
    let height = usize::from(inner.height);
    let lines = match app.view.prompt_scroll {
        None => lay_out(&sections, width, height),
        Some(first) => whole(&sections, width, height, first.into()),
    };
    Paragraph::new(lines).render(inner, buf);
}

/// Draws the prompt in a line: which, what the detector says of it, and what the model says to it now.
pub(in crate::tui) fn line(app: &App, area: Rect, buf: &mut Buffer) {
    let theme = &app.view.theme;
    let (pair, Some(run), false) = (app.view.prompt, &app.shown().run, area.is_empty()) else { return };
    let Some(probe) = run.probes.get(pair).filter(|_| !run.means) else { return };
    let mut spans = vec![
        Span::styled(" prompt", theme.accent()),
        Span::styled(format!(" {}/{} ", pair + 1, run.probes.len()), theme.dim()),
    ];
    spans.extend(flags(app, pair, true).spans);
    let used: usize = spans.iter().map(Span::width).sum();
    let room = usize::from(area.width).saturating_sub(used);
    let asked = Shown::new(&probe.prompt).to_string();
    let says = app.evaluation().and_then(|e| e.greedy.get(pair)).map(|g| Shown::new(&g.text).to_string());
    let text = match says.filter(|says| !says.trim().is_empty()) {
        // Of a long question the end is seen, where it asks.
        Some(says) => format!("{} → now: {says}", tail(&asked, room / 2)),
        None => asked,
    };
    spans.push(Span::styled(fit(&text, room), theme.text()));
    Line::from(spans).render(area, buf);
}

/// The end of a text, in at most so many columns.
fn tail(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars().rev() {
        if kept.width() + 2 > columns {
            break;
        }
        kept.insert(0, c);
    }
    format!("…{kept}")
}

/// What the detector says of this pair.
fn flags(app: &App, pair: usize, narrow: bool) -> Line<'static> {
    let theme = &app.view.theme;
    // What the detector says of a pair holds in a stage that pushes answers down.
    let Some(standing) = app.standing().filter(|w| app.pushes_down_in(w.stage)) else { return Line::default() };
    if standing.squeezed.get(pair) == Some(&true) {
        let said = if narrow { " squeezed " } else { " displaced and squeezed: y⁺ fell, y* took its mass " };
        Line::styled(said, theme.warning().add_modifier(Modifier::BOLD))
    } else if standing.displaced.get(pair) == Some(&true) {
        Line::styled(if narrow { " displaced " } else { " displaced: y⁺ fell with y⁻ " }, theme.warning())
    } else {
        Line::styled(" not displaced ", theme.dim())
    }
}

fn sections(app: &App, run: &RunStarted, pair: usize) -> Vec<Section> {
    let theme = &app.view.theme;
    let probe = &run.probes[pair];
    let (first, now) = (app.shown().evaluations.first().map(AsRef::as_ref), app.evaluation());
    let between = (app.origin(), now);
    let mut sections = vec![Section {
        label: "prompt",
        style: theme.dim(),
        words: words(Shown::new(&probe.prompt).as_str(), theme.accent()),
    }];
    // What leaks, as text: the response that the list is ordered by, unless it is shown below anyway.
    let leaking = app.leaking().kind();
    if (app.view.by_change || app.view.curve.is_some()) && !matches!(leaking, ProbeKind::Chosen | ProbeKind::Rejected) {
        sections.extend(response(app, run, leaking, leaking.symbol(), between, pair));
    }
    let (before, after) = greedy(app, first, now, pair);
    if !after.is_empty() {
        sections.push(Section { label: "says now", style: theme.accent(), words: after });
        sections.push(Section { label: "at step 0", style: theme.dim(), words: before });
    }
    for (kind, label) in [(ProbeKind::Chosen, "y⁺ chosen"), (ProbeKind::Rejected, "y⁻ rejected")] {
        sections.extend(response(app, run, kind, label, between, pair));
    }
    for (label, lines) in strip::strips(app, between, pair) {
        sections.push(Section { label, style: theme.dim(), words: lines });
    }
    sections.extend(flows(app, now, pair));
    let (start, now) = (argmax(first, pair), argmax(now, pair));
    if !now.is_empty() {
        // Along the prefixes of y⁺: what the model would put at each position; where it would not say y⁺, emphasised.
        let labels = &probe.chosen_tokens;
        sections.push(Section { label: "y* now", style: theme.accent(), words: tokens(app, &now, labels) });
        sections.push(Section { label: "y* at 0", style: theme.dim(), words: tokens(app, &start, labels) });
    }
    sections
}

/// A response with its log-prob, where the prompt has it.
fn response(
    app: &App,
    run: &RunStarted,
    kind: ProbeKind,
    label: &'static str,
    between: Between<'_>,
    pair: usize,
) -> Option<Section> {
    let response = run.probes[pair].responses.get(&kind)?;
    let mut text = log_p(app, kind, between, pair);
    text.extend(words(Shown::new(&response.text).as_str(), app.view.theme.text()));
    let style = app.view.theme.curve(crate::history::CurveId::Probe(kind)).style;
    Some(Section { label, style, words: text })
}

/// The argmax at each position of y⁺.
fn argmax(evaluation: Option<&Evaluation>, pair: usize) -> Vec<&str> {
    evaluation.into_iter().flat_map(|e| e.chosen.argmax_tokens.list(pair)).collect()
}

/// The argmax at each position of an answer; emphasised where it is not the answer's own token.
fn tokens(app: &App, argmax: &[&str], labels: &[String]) -> Words {
    let theme = &app.view.theme;
    let word = |(at, token): (usize, &&str)| {
        let differs = labels.get(at).is_some_and(|label| label != *token);
        let style = if differs { theme.warning().add_modifier(Modifier::BOLD) } else { theme.dim() };
        (Shown::new(token.trim()).to_string(), style)
    };
    argmax.iter().enumerate().map(word).filter(|(word, _)| !word.is_empty()).collect()
}

/// Which tokens gained and lost probability at the positions of y⁺.
fn flows(app: &App, now: Option<&Evaluation>, pair: usize) -> Vec<Section> {
    let flow = now.and_then(|e| e.stage_flow.as_ref());
    if let Some((flow, tokens)) = flow.and_then(|f| Some((f, f.pairs.get(pair)?))) {
        return vec![mass(app, "gained", flow, &tokens.gained), mass(app, "lost", flow, &tokens.lost)];
    }
    Vec::new()
}

/// The log-prob of an answer and its change, as the table of curves counts it.
fn log_p(app: &App, kind: ProbeKind, (first, now): Between<'_>, pair: usize) -> Words {
    let theme = &app.view.theme;
    let value = |e: Option<&Evaluation>| e.and_then(|e| e.logps.get(kind)?.get(pair)).map(|&x| f64::from(x));
    let (Some(start), Some(now)) = (value(first), value(now)) else { return Vec::new() };
    let delta = change(now - start, 1);
    let style = direction(&delta, theme);
    let [since, ..] = app.since_in_words();
    let mut said = vec![(number(now, 1), theme.accent()), (format!("({delta}"), style)];
    said.extend(words(&format!("{})", since.trim_start_matches("Δ ")), style));
    said
}

/// The free-running greedy answers at the start and now; what changed is emphasised.
fn greedy(app: &App, first: Option<&Evaluation>, now: Option<&Evaluation>, pair: usize) -> (Words, Words) {
    let theme = &app.view.theme;
    let text = |e: Option<&Evaluation>| e.and_then(|e| e.greedy.get(pair)).map(|g| Shown::new(&g.text));
    let (Some(before), Some(now)) = (text(first), text(now)) else { return (Vec::new(), Vec::new()) };
    let split = |text: &Shown| text.as_str().split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (before, now) = (split(&before), split(&now));
    let first = |words: &[String]| words[..words.len().min(COMPARED)].to_vec();
    let (lost, new) = changed(&first(&before), &first(&now));
    let mark = |words: Vec<String>, marks: Vec<bool>, style: Style| -> Words {
        let marks = marks.into_iter().chain(std::iter::repeat(false));
        words.into_iter().zip(marks).map(|(w, m)| (w, if m { style } else { theme.text() })).collect()
    };
    (
        mark(before, lost, theme.loss().add_modifier(Modifier::UNDERLINED)),
        mark(now, new, theme.gain().add_modifier(Modifier::BOLD)),
    )
}

/// Tokens and the probability that each gained or lost at the positions of y⁺.
fn mass(app: &App, label: &'static str, flow: &MassFlow, tokens: &[TokenFlow]) -> Section {
    let theme = &app.view.theme;
    let mut text: Words = Vec::new();
    for token in tokens {
        let name = Shown::new(&token.token).to_string().replace(' ', "␣");
        text.push((format!("‘{name}’"), theme.text()));
        let style = if token.mass < 0.0 { theme.loss() } else { theme.gain() };
        text.push((change(token.mass.into(), 2), style));
    }
    if text.is_empty() {
        text = words("no token worth naming", theme.dim());
    } else {
        text.extend(words(&format!("since step {}", flow.since), theme.dim()));
    }
    Section { label, style: theme.dim(), words: text }
}

/// One line for every section from the top, then more lines for those that need them, as far as the height goes.
fn lay_out(sections: &[Section], width: usize, height: usize) -> Vec<Line<'static>> {
    let wrapped: Vec<_> = sections.iter().map(|s| wrap(&s.words, width.max(1))).collect();
    let mut given: Vec<usize> = (0..sections.len()).map(|i| usize::from(i < height)).collect();
    let mut left_over = height.saturating_sub(sections.len());
    while left_over > 0 {
        let Some(poorest) = (0..given.len()).filter(|&i| given[i] < wrapped[i].len()).min_by_key(|&i| given[i]) else {
            break;
        };
        given[poorest] += 1;
        left_over -= 1;
    }
    let mut lines = Vec::new();
    for ((section, wrapped), given) in sections.iter().zip(wrapped).zip(given) {
        let cut = wrapped.len() > given;
        for (row, mut line) in wrapped.into_iter().take(given).enumerate() {
            if cut && row + 1 == given {
                ellipsis(&mut line, width);
            }
            let label = if row == 0 { section.label } else { "" };
            line.spans.insert(0, Span::styled(left(&format!(" {label}"), LABEL + 1), section.style));
            lines.push(line);
        }
    }
    lines
}

/// Every line of every section, from the line `first` on; a page that would end below the last line begins earlier.
fn whole(sections: &[Section], width: usize, height: usize, first: usize) -> Vec<Line<'static>> {
    let lines = lay_out(sections, width, usize::MAX);
    let latest = lines.len().saturating_sub(height);
    lines.into_iter().skip(first.min(latest)).take(height).collect()
}

/// Ends a line with `…`, within the width.
fn ellipsis(line: &mut Line<'static>, width: usize) {
    while line.width() + 2 > width && line.spans.pop().is_some() {}
    while line.spans.last().is_some_and(|s| s.content.trim().is_empty()) {
        line.spans.pop();
    }
    line.spans.push(Span::raw(" …"));
}
