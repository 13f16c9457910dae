"""Plurals: a table of words that follow no rule, and the endings of those that do.

Harman's S-stemmer ("How effective is suffixing?", JASIS 42, 1991), the endings that it misses, and a table of words
that follow no rule. We compared both with the lemmas of LemmInflect for the 90,000 most frequent words. Folding with
such a package instead would change the meaning of addresses with each of its releases.
"""

# A plural and its singular, or a word that only looks like a plural and stays: acronyms in S in the last lines.
_WORDS = """
ads:ad ids:id kgs:kg lms:lm men:man nns:nn pcs:pc tvs:tv uis:ui vms:vm children:child christmases:christmas emus:emu
feet:foot geese:goose grandchildren:grandchild lice:louse mice:mouse oxen:ox quizzes:quiz teeth:tooth
schoolchildren:schoolchild stepchildren:stepchild summonses:summons metropolises:metropolis women:woman

addenda:addendum automata:automaton bacteria:bacterium compendia:compendium consortia:consortium continua:continuum
corpora:corpus criteria:criterion curricula:curriculum equilibria:equilibrium errata:erratum extrema:extremum
genera:genus lemmata:lemma maxima:maximum memoranda:memorandum millennia:millennium minima:minimum momenta:momentum
optima:optimum phenomena:phenomenon polyhedra:polyhedron quanta:quantum referenda:referendum schemata:schema
simulacra:simulacrum ova:ovum sera:serum spectra:spectrum stigmata:stigma strata:stratum subcorpora:subcorpus
symposia:symposium taxa:taxon atria:atrium cilia:cilium flagella:flagellum papyri:papyrus bureaux:bureau
tableaux:tableau algae:alga antennae:antenna formulae:formula larvae:larva nebulae:nebula supernovae:supernova
vertebrae:vertebra alumni:alumnus cacti:cactus foci:focus fungi:fungus hippocampi:hippocampus loci:locus
moduli:modulus nuclei:nucleus radii:radius stimuli:stimulus syllabi:syllabus termini:terminus tori:torus
stadia:stadium aquaria:aquarium auditoria:auditorium vacua:vacuum colloquia:colloquium phyla:phylum dicta:dictum
desiderata:desideratum ganglia:ganglion mitochondria:mitochondrion tetrahedra:tetrahedron octahedra:octahedron
octopi:octopus annuli:annulus sulci:sulcus gyri:gyrus thalami:thalamus bacilli:bacillus calculi:calculus
menisci:meniscus lacunae:lacuna hyphae:hypha amoebae:amoeba retinae:retina personae:persona suprema:supremum
infima:infimum fora:forum septa:septum podia:podium crania:cranium honoraria:honorarium moratoria:moratorium
icosahedra:icosahedron dodecahedra:dodecahedron hexahedra:hexahedron epiphenomena:epiphenomenon protozoa:protozoon
thesauri:thesaurus uteri:uterus thrombi:thrombus emboli:embolus homunculi:homunculus plateaux:plateau

appendices:appendix codices:codex cortices:cortex helices:helix indices:index matrices:matrix simplices:simplex
subindices:subindex submatrices:submatrix vertices:vertex vortices:vortex axes:axis crises:crisis diagnoses:diagnosis
ellipses:ellipse emphases:emphasis metamorphoses:metamorphosis metastases:metastasis neuroses:neurosis oases:oasis
prognoses:prognosis synopses:synopsis apices:apex radices:radix directrices:directrix apotheoses:apotheosis
catharses:catharsis fibroses:fibrosis geneses:genesis meioses:meiosis misdiagnoses:misdiagnosis mitoses:mitosis
necroses:necrosis nemeses:nemesis praxes:praxis psychoses:psychosis scleroses:sclerosis sepses:sepsis
stenoses:stenosis symbioses:symbiosis thromboses:thrombosis cervices:cervix neocortices:neocortex
supermatrices:supermatrix

aliases:alias atlases:atlas biases:bias canvases:canvas gases:gas irises:iris lenses:lens pancreases:pancreas alias
atlas bias canvas chaos christmas metropolis summons cosmos does ethos iris lens news pancreas pathos series species
themselves these this ourselves yourselves always sometimes perhaps tennis corps chassis kudos asbestos
biogases:biogas biogas debiases:debias debias trellises:trellis trellis pelvises:pelvis pelvis mantises:mantis mantis
thermoses:thermos thermos rhinoceroses:rhinoceros rhinoceros epidermis bayes diabetes keras kubernetes mars paris
texas

cpus:cpu dpus:dpu gpus:gpu npus:npu tpus:tpu xpus:xpu bureaus:bureau gurus:guru menus:menu plateaus:plateau
abuses:abuse accuses:accuse excuses:excuse peruses:peruse recluses:recluse reuses:reuse ruses:ruse uses:use
misuses:misuse overuses:overuse disuses:disuse

wharves:wharf dwarves:dwarf elves:elf hooves:hoof leaves:leaf lives:life loaves:loaf sheaves:sheaf aches:ache
apaches:apache avalanches:avalanche cliches:cliche creches:creche headaches:headache heartaches:heartache
moustaches:moustache mustaches:mustache pastiches:pastiche psyches:psyche quiches:quiche tranches:tranche
crevasses:crevasse finesses:finesse impasses:impasse mousses:mousse posses:posse canoes:canoe goes:go
horseshoes:horseshoe snowshoes:snowshoe tiptoes:tiptoe throes:throe belies:belie birdies:birdie bookies:bookie
brownies:brownie caddies:caddie calories:calorie cookies:cookie foodies:foodie freebies:freebie genies:genie
goalies:goalie goodies:goodie hippies:hippie hoodies:hoodie junkies:junkie magpies:magpie movies:movie
neckties:necktie newbies:newbie overlies:overlie pixies:pixie prairies:prairie reveries:reverie rookies:rookie
selfies:selfie smoothies:smoothie sorties:sortie talkies:talkie underlies:underlie unties:untie veggies:veggie
zombies:zombie brioches:brioche cartouches:cartouche cloches:cloche douches:douche microfiches:microfiche
panaches:panache taxis:taxi aunties:auntie coteries:coterie indies:indie menageries:menagerie techies:techie
afterlives:afterlife handkerchieves:handkerchief

antibiotics:antibiotic attics:attic characteristics:characteristic clerics:cleric clinics:clinic comics:comic
critics:critic cynics:cynic epidemics:epidemic fabrics:fabric heuristics:heuristic infographics:infographic
logics:logic lunatics:lunatic heretics:heretic lyrics:lyric medics:medic metrics:metric mimics:mimic
mnemonics:mnemonic mosaics:mosaic pandemics:pandemic paramedics:paramedic picnics:picnic polemics:polemic relics:relic
republics:republic robotics:robotic rubrics:rubric sceptics:sceptic schematics:schematic skeptics:skeptic
statistics:statistic tactics:tactic tics:tic topics:topic tunics:tunic submetrics:submetric subtopics:subtopic

abdomen acumen albumen bitumen carmen examen foramen regimen specimen stamen

bios cmos cvs dbms hdfs https iaas macos mcts mems naas paas qos saas sars
"""
SINGULARS = {plural: singular or plural for plural, _, singular in (row.partition(":") for row in _WORDS.split())}
# Plurals, or verbs, of two words: the other one.
ALSO = {
    "analyses": "analyse",
    "bases": "basis",
    "diagnoses": "diagnose",
    "ellipses": "ellipsis",
    "halves": "halve",
    "leaves": "leave",
    "lives": "live",
}

# Short words in -us that are no plurals of acronyms in U: opus, but imus.
LATIN = frozenset(
    ("anus", "bogus", "bonus", "bus", "fetus", "focus", "genus", "humus", "locus", "lotus", "lupus", "minus")
)
LATIN |= {"mucus", "nexus", "onus", "opus", "plus", "sinus", "thus", "torus", "venus", "virus", "zeus", "angus"}

# Endings: how many letters to cut, and what to append. The first row that fits counts; if none does, only the s is cut.
_SUFFIXES = (
    (("caches", "niches"), 1, ""),
    (("lenses",), 2, ""),
    (("lens",), 0, ""),
    (("sses", "xes", "ches", "shes", "tzes", "zzes"), 2, ""),  # classes, boxes, approaches, meshes, waltzes, buzzes
    (("eies", "aies"), 1, ""),
    (("ies",), 3, "y"),  # policies
    (("lyses", "theses"), 2, "is"),  # analyses, hypotheses
    (("ouses", "auses", "fuses", "muses"), 1, ""),  # houses, causes
    (("uses",), 2, ""),  # viruses
    (("halves", "calves", "shelves", "wolves", "selves", "thieves", "scarves"), 3, "f"),
    (("knives", "wives"), 3, "fe"),
    (("oes",), 2, ""),  # heroes
    (("ics", "sis", "xis", "ss", "us"), 0, ""),  # semantics, basis, loss, virus
)
# The same rows by the last two letters of the ending.
SUFFIXES: dict[str, list[tuple[str, int, str]]] = {}
for _endings, _cut, _new in _SUFFIXES:
    for _ending in _endings:
        SUFFIXES.setdefault(_ending[-2:], []).append((_ending, _cut, _new))
