//! The view of the lab: a pure function of the [`Lab`].

use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Widget};

use super::app::{Lab, Scale};
use super::bars;
use crate::dynamics::lab::wording::{change, name, probability};
use crate::tui::keymap::{self, Context};
use crate::tui::upkeep::Sheet;
use crate::tui::view::text::{fit, left, number, panel, right, title, words, wrap};
use crate::tui::view::{dialogs, footer, whole};

/// Columns of the table of numbers, border included.
const NUMBERS: u16 = 44;
/// Fewest columns in which the lists of classes lie beside it.
const WITH_MOVERS: u16 = 72;
/// Fewest columns in which a third panel says what to try.
const WITH_HINTS: u16 = 100;
/// Columns from which it has room for all that can be tried.
const WITH_ALL_HINTS: u16 = 150;
/// Columns of the lists of classes where the third panel is narrow.
const MOVERS: u16 = 34;

const HINTS: &str = "Every class but y changes by the factor e^(η′p)/Z. It is above 1 where p lies above ln Z/η′, \
                     however p came about: the rich get richer. Try: {lab_shape}, a uniform distribution, from which none falls. \
                     {lab_class_left} and {lab_class_right}, y on a peak and in a valley: in a valley there is little to share out, and the bystanders \
                     pay for y*. {lab_larger_step}, a larger step. {lab_step}, again and again: y* ends with everything. {lab_scale}, the scale that \
                     shows who is rich.";

/// The same where there is little room.
const FEWER_HINTS: &str = "Above the line classes gain, below they lose. Try {lab_shape}, {lab_class_left} and {lab_class_right}, {lab_larger_step}, {lab_step}.";

/// Draws the lab in a buffer, which may be off-screen.
///
/// ```text
/// ┌ header: distribution · y · step ───────────┐
/// │ what the step does, and why                │
/// ├ π before and after ────────────────────────┤
/// │ bars, break-even line, who rose, who fell  │
/// ├ numbers ───────────┬ most gained and lost ─┤
/// │ y, y*, bystanders  │                       │
/// ├────────────────────┴───────────────────────┤
/// └ footer: the keys that work now ────────────┘
/// ```
pub(super) fn render(lab: &Lab, area: Rect, buf: &mut Buffer) {
    whole(&lab.theme, lab.glyphs, area, buf, |area, buf| parts(lab, area, buf));
}

fn parts(lab: &Lab, area: Rect, buf: &mut Buffer) {
    let story = wrap(&words(&lab.outcome().story(), lab.theme.text()), usize::from(area.width) - 2);
    let told = u16::try_from(story.len()).unwrap_or(u16::MAX).min(if area.height < 20 { 2 } else { 4 });
    let lower = match area.height {
        0..20 => 0,
        20..34 => 8,
        34..50 => 10,
        _ => 14,
    };
    let [header, told, chart, lower, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(told),
        Constraint::Min(1),
        Constraint::Length(lower),
        Constraint::Length(1),
    ])
    .areas(area);
    render_header(lab, header, buf);
    Paragraph::new(story).render(Rect { x: told.x + 1, width: told.width - 2, ..told }, buf);
    render_chart(lab, chart, buf);
    render_lower(lab, lower, buf);
    render_footer(lab, keys, buf);
    if let Some(row) = lab.help {
        let body = Rect { y: area.y + 1, height: area.height - 2, ..area };
        let help = dialogs::Keys { what: "the squeeze lab", first: row, theme: &lab.theme, glyphs: lab.glyphs };
        help.render(keymap::bindings(Context::Lab), body, buf);
    }
}

/// Draws the distribution, and its numbers where there is room, without what is around them.
pub(in crate::tui) fn within(lab: &Lab, area: Rect, buf: &mut Buffer) {
    let numbers = if area.height < 18 { 0 } else { 8 };
    let [chart, lower] = Layout::vertical([Constraint::Min(1), Constraint::Length(numbers)]).areas(area);
    render_chart(lab, chart, buf);
    render_lower(lab, lower, buf);
}

fn render_header(lab: &Lab, area: Rect, buf: &mut Buffer) {
    let (settings, theme) = (lab.settings(), &lab.theme);
    let taken = match lab.steps() {
        0 => String::new(),
        1 => " 1 step taken ".to_owned(),
        steps => format!(" {steps} steps taken "),
    };
    let does = if settings.push_down { "pushed down" } else { "pulled up" };
    let room = usize::from(area.width).saturating_sub(Span::raw(taken.as_str()).width());
    let set = format!(
        " · {}, V {} · y {} {does}, η′ {}",
        name(settings.shape),
        settings.classes,
        lab.outcome().step.y,
        settings.eta
    );
    let experiment = fit(&format!(" {}", Sheet::name(lab)), room / 2);
    let set = fit(&set, room.saturating_sub(Span::raw(experiment.as_str()).width()));
    Line::from(vec![Span::styled(experiment, theme.accent()), Span::styled(set, theme.text())]).render(area, buf);
    Line::from(Span::styled(taken, theme.dim())).right_aligned().render(area, buf);
}

fn render_chart(lab: &Lab, area: Rect, buf: &mut Buffer) {
    let theme = &lab.theme;
    let mut head = vec![Span::raw(" "), Span::styled("π before and after", theme.accent()), Span::raw(" ")];
    for (symbol, style, meaning) in bars::legend(theme, lab.glyphs) {
        head.extend([Span::styled(format!(" {symbol} "), style), Span::styled(format!("{meaning} "), theme.dim())]);
    }
    head.push(Span::styled(format!("{} ", probability(lab.outcome().break_even)), theme.text()));
    head.push(Span::styled(if lab.scale == Scale::Log { " log scale " } else { " linear " }, theme.dim()));
    let block = panel(Line::from(head), false, theme, lab.glyphs);
    let inner = block.inner(area);
    block.render(area, buf);
    bars::render(lab, inner, buf);
}

fn render_lower(lab: &Lab, area: Rect, buf: &mut Buffer) {
    if area.height < 3 {
        return;
    }
    if area.width < WITH_MOVERS {
        return render_numbers(lab, area, buf);
    }
    let (hints, said) = match area.width {
        0..WITH_HINTS => (0, ""),
        WITH_HINTS..WITH_ALL_HINTS => (area.width - NUMBERS - MOVERS, FEWER_HINTS),
        _ => (area.width * 2 / 5, HINTS),
    };
    let [numbers, movers, hints] =
        Layout::horizontal([Constraint::Length(NUMBERS), Constraint::Fill(1), Constraint::Length(hints)]).areas(area);
    render_numbers(lab, numbers, buf);
    render_movers(lab, movers, buf);
    if !hints.is_empty() {
        let block = panel(title("why", "and what to try", false, &lab.theme), false, &lab.theme, lab.glyphs);
        let inner = block.inner(hints);
        block.render(hints, buf);
        let lines = wrap(&words(&keymap::told(said), lab.theme.dim()), usize::from(inner.width).saturating_sub(2));
        Paragraph::new(lines).render(Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }, buf);
    }
}

/// y, y*, the bystanders, the entropy, Z and the line.
fn render_numbers(lab: &Lab, area: Rect, buf: &mut Buffer) {
    let (theme, outcome) = (&lab.theme, lab.outcome());
    let (y, star) = (outcome.step.y, outcome.star);
    let (all, _, fell) = outcome.counts();
    let sum = |p: &[f64]| outcome.bystanders().map(|i| p[i]).sum::<f64>();
    let (was, is) = outcome.entropy;
    let row = |label: String, before: String, after: String, x: f64, text: String| {
        let style = match x {
            x if x > 0.0 => theme.gain(),
            x if x < 0.0 => theme.loss(),
            _ => theme.dim(),
        };
        Line::from(vec![
            Span::styled(format!(" {}", left(&label, 13)), theme.text()),
            Span::styled(right(&before, 8), theme.text()),
            Span::styled(right(&after, 9), theme.text()),
            Span::styled(right(&text, 10), style),
        ])
    };
    let class = |label: String, class: usize| {
        let x = outcome.change(class);
        row(label, probability(outcome.before[class]), probability(outcome.after[class]), x, change(x))
    };
    let (before, after, net) = (sum(&outcome.before), sum(&outcome.after), outcome.bystander_mass());
    let nats = |x: f64| number(x, 3);
    let sign = if lab.settings().push_down { "" } else { "−" };
    let heading = format!("{}{:>9}{:>10}", right("before", 22), "after", "change");
    let lines = vec![
        Line::styled(heading, theme.dim()),
        class(format!("y   class {y}"), y),
        class(format!("y*  class {star}"), star),
        row(format!("the other {all}"), probability(before), probability(after), net, change(net)),
        row("entropy, nats".to_owned(), nats(was), nats(is), is - was, number(is - was, 3)),
        Line::from(vec![
            Span::styled(format!(" {sign}ln Z/η′ {}  ", probability(outcome.break_even)), theme.text()),
            Span::styled(format!("Z {}  ", number(outcome.z, 2)), theme.dim()),
            Span::styled(format!("{fell} of {all} fall"), if fell > 0 { theme.loss() } else { theme.gain() }),
        ]),
    ];
    let block = panel(title("numbers", "", false, theme), false, theme, lab.glyphs);
    let inner = block.inner(area);
    block.render(area, buf);
    Paragraph::new(lines).render(inner, buf);
}

/// The classes that gain most, and those that lose most.
fn render_movers(lab: &Lab, area: Rect, buf: &mut Buffer) {
    let (theme, outcome) = (&lab.theme, lab.outcome());
    let classes = 0..outcome.before.len();
    let (rose, fell) = (classes.clone().filter(|&i| outcome.rose(i)), classes.clone().filter(|&i| outcome.fell(i)));
    let counted = format!("{} rise, {} fall", rose.count(), fell.count());
    let block = panel(title("moves", counted, false, theme), false, theme, lab.glyphs);
    let inner = block.inner(area);
    block.render(area, buf);
    let mut order: Vec<usize> = classes.collect();
    order.sort_by(|&a, &b| outcome.change(b).total_cmp(&outcome.change(a)).then(a.cmp(&b)));
    let sides = Layout::horizontal([Constraint::Fill(1), Constraint::Fill(1)]).areas::<2>(inner);
    for (side, gains) in sides.into_iter().zip([true, false]) {
        let style = if gains { theme.gain() } else { theme.loss() };
        let moved: Vec<usize> = if gains {
            order.iter().copied().filter(|&i| outcome.rose(i)).collect()
        } else {
            order.iter().rev().copied().filter(|&i| outcome.fell(i)).collect()
        };
        let lines: Vec<Line<'_>> = moved
            .iter()
            .take(side.height.into())
            .map(|&i| {
                let who = match i {
                    i if i == outcome.step.y => "y ",
                    i if i == outcome.star => "y*",
                    _ => "",
                };
                let mut spans = vec![Span::styled(format!(" {i:>3} {}", left(who, 2)), theme.text())];
                if side.width >= 36 {
                    let from = right(&probability(outcome.before[i]), 9);
                    let course = format!("{from} → {}", left(&probability(outcome.after[i]), 8));
                    spans.push(Span::styled(course, theme.dim()));
                }
                spans.push(Span::styled(right(&change(outcome.change(i)), 9), style));
                Line::from(spans)
            })
            .collect();
        Paragraph::new(lines).render(side, buf);
    }
}

fn render_footer(lab: &Lab, area: Rect, buf: &mut Buffer) {
    if let Some(notice) = lab.notice().filter(|_| lab.help.is_none()) {
        notice.line(area.width, &lab.theme).render(area, buf);
        return;
    }
    let hints =
        keymap::bindings(lab.mode()).filter(|b| !b.hint.is_empty()).map(|b| (footer::key_name(b, lab.glyphs), b.hint));
    Line::from(footer::keys(hints, area.width.into(), &lab.theme)).render(area, buf);
}
