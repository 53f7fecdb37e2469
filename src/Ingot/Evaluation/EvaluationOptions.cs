using Ingot.Chat;
using Ingot.Data;
using Ingot.Training;

namespace Ingot.Evaluation;

/// <summary>How two systems are compared.</summary>
public enum SignificanceTest
{
    /// <summary>Paired bootstrap resampling.</summary>
    Bootstrap,

    /// <summary>Paired approximate randomization.</summary>
    Randomization,
}

/// <summary>Options of an evaluation, and keys of its recipes. Paths are relative to the current directory.</summary>
public sealed partial record EvaluationOptions
{
    /// <summary>What is computed: bleu, chrf, chrf++, ter, rouge (or rouge1, rouge2, rougeL, rougeLsum), meteor, accuracy, f1 of texts; or
    /// perplexity or multiple-choice of a model on data. With a model, metrics of texts are those of what it writes for the data.</summary>
    public IReadOnlyList<string> Metric { get; set; } = [];

    /// <summary>File of the texts that are judged: a segment a line; in a .jsonl, a string a line, or an object that has the text in a
    /// field.</summary>
    public string? Hypotheses { get; set; }

    /// <summary>Files of references, as long as the hypotheses: one for each reference that a segment has.</summary>
    public IReadOnlyList<string> References { get; set; } = [];

    /// <summary>Other systems' files, tested for a difference from the hypotheses that is more than chance.</summary>
    public IReadOnlyList<string> Compare { get; set; } = [];

    /// <summary>The field that has the text in hypotheses that are .jsonl.</summary>
    public string HypothesisField { get; set; } = "text";

    /// <summary>The field that has the text in references that are .jsonl.</summary>
    public string ReferenceField { get; set; } = "text";

    /// <summary>Whether a segment may be without any reference text, rather than that being an error.</summary>
    public bool AllowEmptyReferences { get; set; }

    /// <summary>The model that is scored: a run's directory or a model's folder.</summary>
    public string? Model { get; set; }

    /// <summary>An adapter on the model (LoRA).</summary>
    public string? Adapter { get; set; }

    /// <summary>Files or folders of data that the model is scored on.</summary>
    public IReadOnlyList<string> Data { get; set; } = [];

    /// <summary>
    /// File for the figures of each document or question, or for the texts, as JSON lines; the scores go beside it, to NAME.scores.json.
    /// </summary>
    public string? Output { get; set; }

    /// <summary>Windows or texts that go through the model side by side.</summary>
    public int BatchSize { get; set; } = 8;

    /// <summary>Precision of computations.</summary>
    public Precision Precision { get; set; }

    /// <summary>Where to compute: cpu, cuda (the first GPU), cuda:1, or auto, a GPU if there is one.</summary>
    public string Device { get; set; } = DeviceChoice.Auto;

    /// <summary>What the data holds: running text, or examples and chats, of which the answers are scored.</summary>
    public DataFormat DataFormat { get; set; }

    /// <summary>How the model knows conversations: a file *.jinja or the name of a template. If not set, the model's own.</summary>
    public string? ChatTemplate { get; set; }

    /// <summary>Which answers of a conversation are scored.</summary>
    public LearnedAnswers LearnedAnswers { get; set; }

    /// <summary>Most tokens that the model reads at once; 0 for as many as it has positions.</summary>
    public int MaxLength { get; set; }

    /// <summary>How many tokens later the next window begins; 0 for half of a window. Less is slower and gives more context.</summary>
    public int Stride { get; set; }

    /// <summary>Whether each document (file, or line of JSON Lines) is scored by itself.</summary>
    public bool SeparateDocuments { get; set; }

    /// <summary>Whether a text begins after the token that begins texts (or else ends them), so that its first token counts, too.</summary>
    public bool AddPrefix { get; set; } = true;

    /// <summary>Pairs of texts for an encoder-decoder: the field or column of the source, by name or by number from 1; if not set,
    /// "source" or 1.</summary>
    public string? SourceField { get; set; }

    /// <summary>The same of the target, whose perplexity it is; if not set, "target" or 2.</summary>
    public string? TargetField { get; set; }

    /// <summary>The same of the code of each source's language, where records differ; otherwise sourceLanguage says it.</summary>
    public string? SourceLanguageField { get; set; }

    /// <summary>The same of the target's language.</summary>
    public string? TargetLanguageField { get; set; }

    /// <summary>The field of the prompt that the model goes on from, or of its source, in records of data; the reference is in
    /// referenceField. If neither it nor a template is set, data holds examples or conversations, whose last answer is the
    /// reference.</summary>
    public string? PromptField { get; set; }

    /// <summary>Most tokens of a text; if not set, the model's own setting.</summary>
    public int? MaxNewTokens { get; set; }

    /// <summary>Beam search keeps so many texts; if not set, the model's own setting.</summary>
    public int? NumBeams { get; set; }

    /// <summary>Beam search compares log-probability / length^this; if not set, the model's own setting.</summary>
    public double? LengthPenalty { get; set; }

    /// <summary>Whether tokens are drawn; otherwise the likeliest is taken, whatever the model's own setting.</summary>
    public bool DoSample { get; set; }

    /// <summary>Divides the logits where tokens are drawn; if not set, the model's own setting.</summary>
    public double? Temperature { get; set; }

    /// <summary>Draws among the likeliest tokens that together have this probability; if not set, the model's own setting.</summary>
    public double? TopP { get; set; }

    /// <summary>Draws among so many likeliest tokens; if not set, the model's own setting.</summary>
    public int? TopK { get; set; }

    /// <summary>Strings at which a text ends.</summary>
    public IReadOnlyList<string> Stop { get; set; } = [];

    /// <summary>Code of the sources' language, for models that translate between several.</summary>
    public string? SourceLanguage { get; set; }

    /// <summary>Code of the language to write, for the same.</summary>
    public string? TargetLanguage { get; set; }

    /// <summary>Whether a prompt longer than the model's context loses its beginning, or a source its end, rather than being an
    /// error.</summary>
    public bool TruncatePrompt { get; set; }

    /// <summary>The field of a question; if not set, question or query.</summary>
    public string? QuestionField { get; set; }

    /// <summary>The field of its choices, a list of texts; if not set, choices or endings.</summary>
    public string? ChoicesField { get; set; }

    /// <summary>The field of the right choice: its label, its text, its number from 0, or its letter; if not set, answer, gold, answerKey
    /// or label.</summary>
    public string? AnswerField { get; set; }

    /// <summary>Makes the prompt of a record's fields, in Jinja's language: "Question: {{ question }}\nAnswer:". If not set, the field
    /// alone.</summary>
    public string? PromptTemplate { get; set; }

    /// <summary>What stands between a prompt and a choice.</summary>
    public string TargetDelimiter { get; set; } = " ";

    /// <summary>Whether the token that begins texts stands before a question.</summary>
    public bool AddBosToken { get; set; }

    /// <summary>Whether a confidence interval of 95 % is computed, by bootstrap resampling.</summary>
    public bool Confidence { get; set; }

    /// <summary>The test of systems to compare.</summary>
    public SignificanceTest Test { get; set; }

    /// <summary>Resamples of the bootstrap.</summary>
    public int Resamples { get; set; } = 1000;

    /// <summary>Trials of the randomization.</summary>
    public int Trials { get; set; } = 10000;

    /// <summary>Seed of resamples and trials: that of NumPy's generator, as sacreBLEU has it; and of drawn tokens.</summary>
    public int Seed { get; set; } = 12345;

    /// <summary>Tokenizer of BLEU: 13a, intl, zh (for Chinese), char or none.</summary>
    public string Tokenize { get; set; } = "13a";

    /// <summary>Whether case counts for nothing in BLEU and chrF.</summary>
    public bool Lowercase { get; set; }

    /// <summary>What BLEU does about n-grams of which none matches.</summary>
    public BleuSmoothing SmoothMethod { get; set; }

    /// <summary>The number that floor (0.1) and add_k (1) take.</summary>
    public double? SmoothValue { get; set; }

    /// <summary>Whether BLEU leaves out orders for which the hypotheses are too short; for single sentences.</summary>
    public bool EffectiveOrder { get; set; }

    /// <summary>The longest n-grams of BLEU.</summary>
    public int MaxNgramOrder { get; set; } = 4;

    /// <summary>The longest n-grams of characters of chrF.</summary>
    public int ChrfCharOrder { get; set; } = 6;

    /// <summary>How many times recall counts as much as precision in chrF.</summary>
    public int ChrfBeta { get; set; } = 2;

    /// <summary>Whether white space belongs to chrF's n-grams of characters.</summary>
    public bool ChrfWhitespace { get; set; }

    /// <summary>Whether chrF averages the F-scores of all orders, as chrF++.py and NLTK do.</summary>
    public bool ChrfEpsSmoothing { get; set; }

    /// <summary>Whether TER sets punctuation apart and undoes XML's escapes.</summary>
    public bool TerNormalized { get; set; }

    /// <summary>Whether TER leaves punctuation out.</summary>
    public bool TerNoPunct { get; set; }

    /// <summary>Whether that holds for Chinese and Japanese too, whose characters are then set apart.</summary>
    public bool TerAsianSupport { get; set; }

    /// <summary>Whether case counts in TER.</summary>
    public bool TerCaseSensitive { get; set; }

    /// <summary>Whether ROUGE counts words by their Porter stems.</summary>
    public bool UseStemmer { get; set; }

    /// <summary>Whether rougeLsum finds the sentences of running text by itself; otherwise each line of a text is one.</summary>
    public bool SplitSummaries { get; set; }

    /// <summary>Words of ROUGE: rouge (letters a to z and digits), or for other scripts a tokenizer of BLEU.</summary>
    public string RougeTokenize { get; set; } = "rouge";

    /// <summary>Words of METEOR: none (as white space parts them), or a tokenizer of BLEU.</summary>
    public string MeteorTokenize { get; set; } = "none";

    /// <summary>Folder of WordNet's files, for METEOR's synonyms; "" for none. If not set, Debian's wordnet-base if there.</summary>
    public string? WordNet { get; set; }

    /// <summary>How F1 puts classes together.</summary>
    public F1Average F1Average { get; set; }

    /// <summary>The class whose F1 is computed if the average is binary.</summary>
    public string PositiveLabel { get; set; } = "1";

    /// <summary>Decimals of scores up to 100; those up to 1 have two more.</summary>
    public int Decimals { get; set; } = 2;

    /// <summary>The metrics that are asked for.</summary>
    /// <exception cref="ArgumentException">A name is unknown, or an option out of range; the message says which.</exception>
    public IReadOnlyList<TextMetric> CreateMetrics()
    {
        var options = new MetricOptions
        {
            Bleu = new()
            {
                Tokenize = Tokenize,
                Lowercase = Lowercase,
                Smoothing = SmoothMethod,
                SmoothValue = SmoothValue,
                EffectiveOrder = EffectiveOrder,
                MaxNgramOrder = MaxNgramOrder,
            },
            Chrf = new()
            {
                CharOrder = ChrfCharOrder,
                Beta = ChrfBeta,
                Lowercase = Lowercase,
                Whitespace = ChrfWhitespace,
                EpsSmoothing = ChrfEpsSmoothing,
            },
            Ter = new()
            {
                Normalized = TerNormalized,
                NoPunct = TerNoPunct,
                AsianSupport = TerAsianSupport,
                CaseSensitive = TerCaseSensitive,
            },
            Rouge = new() { UseStemmer = UseStemmer, SplitSummaries = SplitSummaries, Tokenize = RougeTokenize },
            Meteor = new() { Tokenize = MeteorTokenize, WordNetFolder = WordNet },
            F1Average = F1Average,
            PositiveLabel = PositiveLabel,
        };
        return [.. Metric.SelectMany(name => TextMetrics.Create(name, options))];
    }
}
