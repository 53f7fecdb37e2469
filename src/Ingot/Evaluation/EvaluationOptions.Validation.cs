using Ingot.Training;

namespace Ingot.Evaluation;

/// <summary>What an evaluation does.</summary>
public enum EvaluationKind
{
    /// <summary>Scores texts of files.</summary>
    Texts,

    /// <summary>Measures how likely a model finds data.</summary>
    Perplexity,

    /// <summary>Has a model answer multiple-choice questions.</summary>
    MultipleChoice,

    /// <summary>Lets a model write, and scores its texts.</summary>
    Generation,
}

/// <content>What fits together.</content>
public sealed partial record EvaluationOptions
{
    private const string PerplexityName = "perplexity";

    private const string MultipleChoiceName = "multiple-choice";

    private static readonly string[] ModelMetrics = [PerplexityName, MultipleChoiceName];

    /// <summary>What the options ask for.</summary>
    public EvaluationKind Kind => Has(PerplexityName) ? EvaluationKind.Perplexity
        : Has(MultipleChoiceName) ? EvaluationKind.MultipleChoice
        : Model is not null && Hypotheses is null ? EvaluationKind.Generation
        : EvaluationKind.Texts;

    /// <summary>Checks all that can be checked without reading files.</summary>
    /// <returns>Every problem; empty when there is none.</returns>
    public IReadOnlyList<OptionProblem> Validate()
    {
        var problems = new List<OptionProblem>();
        Require("metric", Metric.Count > 0, $"is not set: name one or several of {string.Join(", ", TextMetrics.Names)}, or one of "
            + string.Join(", ", ModelMetrics));
        Require("decimals", Decimals is >= 0 and <= 12, $"is {Decimals}, but must be 0 to 12");
        if (Kind == EvaluationKind.Texts)
        {
            Require("hypotheses", !string.IsNullOrWhiteSpace(Hypotheses), "is not set: name the file of the texts to judge, or a model");
            Require("references", References.Count > 0, "is not set: name the file of reference texts, or several");
            Require("model", Model is null, "does not go with hypotheses, which are there already");
            RequireMetrics();
        }
        else if (Kind == EvaluationKind.Generation)
        {
            Require("output", !string.IsNullOrWhiteSpace(Output), "is not set: name the file, *.jsonl, for what the model writes");
            Require("compare", Compare.Count == 0, "does not go with a model: compare its output afterwards, as hypotheses");
            RequireModel();
            RequireMetrics();
        }
        else
        {
            string alone = Metric.First(name => ModelMetrics.Contains(name.ToLowerInvariant()));
            Require("metric", Metric.Count == 1, $"holds {Metric.Count} metrics, but {alone} is computed by itself");
            Require("hypotheses", Hypotheses is null, $"does not go with {Metric[0]}, which is a model's on its data");
            Require("confidence", !Confidence, $"does not go with {Metric[0]}");
            RequireModel();
        }

        return problems;

        void RequireMetrics()
        {
            Require("resamples", Resamples is >= 2 and <= 1_000_000, $"is {Resamples}, but must be 2 to 1000000");
            Require("trials", Trials is >= 1 and <= 1_000_000, $"is {Trials}, but must be 1 to 1000000");
            Require("seed", Seed >= 0, $"is {Seed}, but must not be negative");
            try
            {
                CreateMetrics();
            }
            catch (ArgumentException e)
            {
                problems.Add(new("metric", $"cannot be computed: {e.Message}"));
            }
        }

        void RequireModel()
        {
            Require("model", !string.IsNullOrWhiteSpace(Model), "is not set: name the folder of the model or run to score");
            Require("data", Data.Count > 0, "is not set: name the file to score the model on");
            Require("batchSize", BatchSize is >= 1 and <= 65536, $"is {BatchSize}, but must be 1 to 65536");
            Require("maxLength", MaxLength >= 0, $"is {MaxLength}, but must be 1 or more, or 0 for the model's positions");
            Require("stride", Stride >= 0, $"is {Stride}, but must be 1 or more, or 0 for half of a window");
            if (DeviceChoice.Problem(Device) is { } problem)
                problems.Add(new("device", problem));
        }

        void Require(string key, bool holds, string problem)
        {
            if (!holds)
                problems.Add(new OptionProblem(key, problem));
        }
    }

    private bool Has(string metric) => Metric.Contains(metric, StringComparer.OrdinalIgnoreCase);
}
