//! The words of the world. Every list fits every sentence it is put into: nouns are plural, prepositions go with every
//! place, `every`, `each`, `one` and `until` go with every time. Most words become a single token.

/// What people do: a verb with the things and qualities that go with it.
pub(super) struct Topic {
    /// "grow".
    pub(super) verb: &'static str,
    /// "grows".
    pub(super) verb_third_person: &'static str,
    /// What it is done to.
    pub(super) nouns: &'static str,
    /// What those are like, besides [`ADJECTIVES`].
    pub(super) adjectives: &'static str,
}

const fn topic(
    verb: &'static str,
    verb_third_person: &'static str,
    nouns: &'static str,
    adjectives: &'static str,
) -> Topic {
    Topic { verb, verb_third_person, nouns, adjectives }
}

pub(super) const TOPICS: [Topic; 8] = [
    topic(
        "grow",
        "grows",
        "plums pears beans roses onions figs carrots melons leeks tulips peas grapes cherries turnips radishes lilies",
        "ripe green sweet red purple juicy wild fresh yellow heavy round white",
    ),
    topic(
        "cook",
        "cooks",
        "soups stews pies omelets dumplings pancakes noodles curries waffles potatoes mushrooms sausages puddings \
         sauces eggs burgers",
        "hot spicy sweet warm salty creamy fresh thick tasty green red yellow",
    ),
    topic(
        "play",
        "plays",
        "drums flutes violins trumpets harps pianos guitars cellos banjos organs fiddles horns whistles tubas \
         clarinets lutes",
        "loud quiet wooden silver gentle heavy brown red painted soft noisy shiny",
    ),
    topic(
        "keep",
        "keeps",
        "goats ducks bees cats rabbits horses geese pigeons sheep turtles donkeys lizards parrots mice ponies hens",
        "sleepy gentle lazy noisy brown white proud shy quick quiet heavy wild",
    ),
    topic(
        "paint",
        "paints",
        "boats fences clouds bridges portraits mountains doors ships houses flowers maps signs walls birds trees lamps",
        "blue tall green narrow distant red quiet purple round white long yellow",
    ),
    topic(
        "repair",
        "repairs",
        "clocks shoes radios bikes kettles chairs wagons engines roofs pumps locks tables carts nets toys stoves",
        "rusty broken wooden heavy dusty narrow noisy silver green blue shiny red",
    ),
    topic(
        "collect",
        "collects",
        "stamps shells coins stones feathers buttons leaves spoons keys bottles letters ribbons marbles books \
         postcards fossils",
        "dusty round silver smooth blue heavy shiny painted narrow broken white thin",
    ),
    topic(
        "knit",
        "knits",
        "scarves socks hats mittens gloves sweaters blankets shawls vests slippers caps cushions rugs pillows hoods \
         jackets",
        "warm soft striped blue red thick thin smooth purple long green white",
    ),
];

/// Qualities that anything can have.
pub(super) const ADJECTIVES: &str = "old small bright plain golden rare simple strange fine lovely famous pretty odd \
     huge tiny perfect special cheap modern curious";

/// Qualities in stories; none begins with a vowel, for they follow "a".
pub(super) const STORY_ADJECTIVES: &str = "small bright plain golden rare strange lovely famous pretty huge tiny \
     modern curious quiet red silver sleepy gentle proud green white tall blue warm";

pub(super) const NAMES: &str = "Ada Ben Cleo Dan Eve Finn Gus Hana Ivo Jun Kai Lea Max Nia Oto Pia Quin Rosa Sam Tia \
     Uma Vik Wen Yara Zed Amos Bea Carl Dora Elsa Fred Gina Hugo Iris Jack Kate Liam Mona Nick Olga Paul Rita Saul \
     Tess Ugo Vera Walt Yuri Zoe Abel Beth Cora Drew Emil Faye Glen Nora Igor Jade Kurt";

pub(super) const PREPOSITIONS: &str = "by near behind beside inside outside";

pub(super) const PLACES: &str = "mill barn yard market school tower station garden stable kitchen castle garage \
     library museum bakery chapel hotel theater orchard office inn square park cottage shop cabin lighthouse workshop \
     greenhouse hall palace tent shed temple studio gallery farm factory harbor courtyard";

pub(super) const TIMES: &str = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday spring autumn summer winter \
     morning evening afternoon night January February March April May June July August September October November \
     December";

pub(super) const SUBJECTS: &str = "teacher doctor uncle aunt baker captain neighbor farmer sister brother miller \
     sailor tailor poet nurse cousin driver painter singer shepherd mayor clerk cook gardener merchant king queen \
     pilot builder dancer grocer student writer actor judge potter carpenter fisherman waiter stranger";

/// What a subject does, one a bar.
pub(super) const PREDICATES: &str = "is kind|pays well|comes early|asked for it|needs it|taught it|likes it|is \
    tired|moved to town|has no time|wants more|never sleeps|tells good jokes|knows the way|found a ring|drinks too \
    much tea|sings all day|reads old books|works alone|is never wrong|owns a boat|won a prize|found gold|likes the \
    quiet|dreams of the sea|eats very little|waits for rain|counts the days|built a wall|forgot the name|bends every \
    rule|walks for hours|loves a good story|has a secret|keeps the peace|wrote a song|laughs at it|sent a letter|is \
    half asleep|planned it for years";

/// What one may do with anything.
pub(super) const ADVICE_VERBS: &str = "buy find sell share trade count choose bring admire study praise borrow";

/// The circumstance a question asks about, one a bar.
pub(super) const ASPECTS: &str = "at home|at work|for fun|for money|for the fair|for the club|with friends|for a prize";
