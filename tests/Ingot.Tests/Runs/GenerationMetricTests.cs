using Ingot.Evaluation;
using Ingot.Generation;
using Ingot.Scoring;
using Ingot.Training;
using NUnit.Framework;

namespace Ingot.Tests.Runs;

/// <summary>Runs whose evaluations let the model write, and score what it writes.</summary>
public sealed class GenerationMetricTests : PairRuns
{
    [Test]
    public void ScoresAreThoseOfWhatTheCheckpointWrites([Values("marian", "m2m_100")] string family)
    {
        string[][] pairs = [.. File.ReadLines(Pairs(reversed: true)).Select(line => line.Split('\t')).Where((_, i) => i % 11 == 0)];
        Write("held.tsv", string.Concat(pairs.Select(pair => $"{pair[0]}\t{pair[1]}\n")));
        var listener = new Listener();
        var result = Train(Reversing(family) with
        {
            EvalData = In("held.tsv"),
            MaxSteps = 60,
            EvalSteps = 30,
            EvalMetrics = ["bleu", "chrf", "TER", "rougeL", "accuracy"],
            EvalGenerations = 10,
            GenerationMaxLength = 8,
            GenerationNumBeams = 2,
            PerDeviceEvalBatchSize = 4,
        }, listener);

        // Ten of the 31 pairs, from all over.
        Assert.That(pairs, Has.Length.EqualTo(31));
        string[][] asked = [.. Enumerable.Range(0, 10).Select(i => pairs[i * 31 / 10])];
        using var generator = TextGenerator.Load(result.ModelDirectory);
        var languages = family == "marian" ? ((string?)null, (string?)null) : ("xx", "zz");
        var rewriter = new TextRewriter(generator, generator.Options with
        {
            MaxLength = null,
            MaxNewTokens = 8,
            NumBeams = 2,
            SourceLanguage = languages.Item1,
            TargetLanguage = languages.Item2,
        }, batchSize: 8);
        string[] texts = [.. rewriter.Rewrite(asked.Select(pair => pair[0])).Select(text => text.Text)];
        string[] references = [.. asked.Select(pair => pair[1])];
        var written = listener.Evaluations[^1].Generation!;
        Assert.That((written.Texts, written.Available), Is.EqualTo((10, 31)));
        TextMetric[] metrics =
            [new BleuMetric(new()), new ChrfMetric(new()), new TerMetric(new()), new RougeMetric("rougeL", new()), new AccuracyMetric()];
        Assert.That(written.Scores.Select(score => score.Key), Is.EqualTo(["bleu", "chrf", "ter", "rougeL", "accuracy"]));
        Assert.That(written.Scores.Select(score => score.Value.Value),
            Is.EqualTo(metrics.Select(metric => metric.Evaluate(texts, references).Value)));
        Assert.That(written.Scores[1].Value.Value, Is.GreaterThan(0).And.LessThan(100), "learnt in part");
        Assert.That(listener.Evaluations[0].Generation!.Scores[1].Value.Value, Is.Not.EqualTo(written.Scores[1].Value.Value));

        // They are where other figures of an evaluation are.
        var rows = Rows(RunPath).Where(row => row.EvalLoss is not null).ToList();
        Assert.That(rows.Select(row => row.Step), Is.EqualTo([30, 60]));
        Assert.That(rows[^1].EvalScores, Is.EqualTo(written.Scores.ToDictionary(score => score.Key, score => score.Value.Value)));
        Assert.That(result.EvalScores, Is.EqualTo(rows[^1].EvalScores));
        Assert.That(Rows(RunPath)[0].EvalScores, Is.Null);
    }

    [Test]
    public void AnswersAreScoredAsAnEvaluationOfTheCheckpointScoresThem([Values] bool conversations)
    {
        string[] words = ["red", "sun", "sea", "old", "moon", "hat"];
        Write("data.jsonl", string.Concat(words.Select(word => conversations
            ? $$"""{"messages": [{"role": "user", "content": "{{word}}"}, {"role": "assistant", "content": "the {{word}}"}]}""" + "\n"
            : $$"""{"prompt": "{{word}}:", "completion": " the {{word}}"}""" + "\n")));
        var listener = new Listener();
        var result = Train(Tiny() with
        {
            Data = In("data.jsonl"),
            EvalData = In("data.jsonl"),
            ChatTemplate = conversations ? "chatml" : null,
            Tokenizer = "bpe",
            VocabSize = 270,
            SequenceLength = 96,
            MaxSteps = 60,
            LearningRate = 1e-2,
            EvalMetrics = ["chrf", "accuracy"],
            GenerationMaxLength = 12,
        }, listener);

        var scores = GenerationEvaluation.Run(new EvaluationOptions
        {
            Metric = ["chrf", "accuracy"],
            Model = result.ModelDirectory,
            Data = [In("data.jsonl")],
            MaxNewTokens = 12,
            Device = "cpu",
            Output = In("texts.jsonl"),
        });
        Assert.That(result.EvalScores!.Values, Is.EqualTo(scores.Select(score => score.Score.Value)));
        Assert.That(result.EvalScores["chrf"], Is.GreaterThan(10));
    }

    [Test]
    public void TrainingIsTheSameWithoutThem()
    {
        var options = Reversing("marian") with { MaxSteps = 12, EvalSteps = 4, Dropout = 0.1 };
        var without = Train(options with { OutputDir = In("without") }).ModelDirectory;
        var with = Train(options with { EvalMetrics = ["bleu"], EvalGenerations = 5 }).ModelDirectory;

        foreach (var file in new[] { "model.safetensors", "optimizer.safetensors", "generation_config.json" })
            Assert.That(File.ReadAllBytes(Path.Combine(with, file)), Is.EqualTo(File.ReadAllBytes(Path.Combine(without, file))), file);
        Assert.That(Rows(RunPath).Select(row => row with { EvalScores = null }), Is.EqualTo(Rows(In("without"))));
    }

    [Test]
    public void ARunThatIsInterruptedInItsEvaluationGoesOnWithThat([Values] bool inTheLast)
    {
        var options = Reversing("marian") with
        {
            MaxSteps = 12,
            Dropout = 0.1,
            EvalSteps = 6,
            SaveSteps = 6,
            EvalMetrics = ["chrf", "ter"],
            EvalGenerations = 8,
            GenerationMaxLength = 6,
            PerDeviceEvalBatchSize = 2,
            MetricForBestModel = "chrf",
            LoadBestModelAtEnd = true,
        };
        Train(options with { OutputDir = In("whole") });

        using var source = new CancellationTokenSource();
        var (evaluations, written) = (0, 0L);
        var first = Train(options, new Interrupter((done, total) =>
        {
            Assert.That(total, Is.EqualTo(8));
            evaluations += done == 1 ? 1 : 0;
            written = done;
            if (evaluations == (inTheLast ? 2 : 1) && done == 3)
                source.Cancel();
        }), source.Token);

        Assert.That((first.Reason, first.Steps), Is.EqualTo((StopReason.Interrupted, inTheLast ? 12 : 6)));
        Assert.That(written, Is.LessThanOrEqualTo(3), "it ends at once, whatever is left to write");
        Assert.That(Rows(RunPath)[^1].Step, Is.EqualTo(inTheLast ? 11 : 5), "the step is reported with its evaluation");
        Assert.That(Resume(RunPath).Reason, Is.EqualTo(StopReason.Completed));
        AssertSameRun(RunPath, In("whole"));
    }

    [Test]
    public void AnInterruptionBeforeTheEvaluationDoesNotBeginIt()
    {
        var options = Reversing("marian") with
        {
            MaxSteps = 9,
            EvalSteps = 3,
            SaveSteps = 3,
            EvalMetrics = ["chrf"],
            EvalGenerations = 4,
        };
        Train(options with { OutputDir = In("whole") });
        TrainInTwoParts(options, interruptAt: 5);
        AssertSameRun(RunPath, In("whole"));
    }

    [TestCase("chrf", true)]
    [TestCase("ter", false)]
    public void TheBestModelIsThatOfTheMetric(string metric, bool greaterIsBetter)
    {
        var listener = new Listener();
        var result = Train(Reversing("marian") with
        {
            MaxSteps = 50,
            EvalSteps = 5,
            EvalMetrics = ["chrf", "ter"],
            EvalGenerations = 12,
            GenerationMaxLength = 8,
            MetricForBestModel = metric,
            LoadBestModelAtEnd = true,
            SaveTotalLimit = 1,
        }, listener);

        var best = greaterIsBetter ? double.NegativeInfinity : double.PositiveInfinity;
        var step = 0L;
        foreach (var evaluation in listener.Evaluations)
        {
            var score = evaluation.Generation!.Scores.Single(score => score.Key == metric).Value.Value;
            var isBetter = greaterIsBetter ? score > best : score < best;
            Assert.That(evaluation.IsBest, Is.EqualTo(isBetter), $"step {evaluation.Step}");
            if (isBetter)
                (best, step) = (score, evaluation.Step);
        }

        Assert.That(listener.Evaluations, Has.Count.EqualTo(10));
        Assert.That(result.ModelDirectory, Does.EndWith($"step-{step:00000000}"));
        Assert.That(new DirectoryInfo(In("run/checkpoints/best")).LinkTarget, Is.EqualTo($"step-{step:00000000}"));
    }

    [Test]
    public void PatienceIsForTheMetric()
    {
        // So slow that the loss falls at every evaluation and no text becomes right.
        var listener = new Listener();
        var result = Train(Reversing("marian") with
        {
            MaxSteps = 40,
            LearningRate = 1e-4,
            EvalSteps = 2,
            EvalMetrics = ["accuracy"],
            EvalGenerations = 4,
            GenerationMaxLength = 4,
            MetricForBestModel = "accuracy",
            EarlyStoppingPatience = 2,
        }, listener);

        Assert.That(listener.Evaluations.Select(evaluation => evaluation.Loss), Is.Ordered.Descending);
        Assert.That((result.Reason, result.Steps), Is.EqualTo((StopReason.EarlyStopping, 6)));
        Assert.That(listener.End!.Reason, Does.Contain("accuracy"));
    }

    [Test]
    public void WhatCannotBeScoredIsRefusedBeforeAnythingIsWritten()
    {
        Refuses(Reversing("marian") with { EvalMetrics = ["blue"] }, "evalMetrics", "did you mean bleu");
        Refuses(Reversing("marian") with { EvalMetrics = ["bleu"], EvalTokenize = "mandarin" }, "evalTokenize", "mandarin", "zh");
        Refuses(Reversing("marian") with { EvalTokenize = "zh" }, "evalTokenize", "evalMetrics");
        Refuses(Reversing("marian") with { EvalMetrics = ["chrf"], MetricForBestModel = "bleu" }, "metricForBestModel", "loss, chrf");
        Refuses(Reversing("marian") with { EvalMetrics = ["rouge"], MetricForBestModel = "rouge" }, "metricForBestModel", "rougeLsum");
        Refuses(Reversing("marian") with { GenerationMaxLength = 8 }, "generationMaxLength", "evalMetrics");
        Refuses(Reversing("marian") with { EvalMetrics = ["bleu"], EvalGenerations = -1 }, "evalGenerations", "at least 0");
        Refuses(Reversing("marian") with { EvalMetrics = ["bleu"], ValidationFraction = 0 }, "evalMetrics", "evalData");
        Refuses(Reversing("marian") with { EvalMetrics = ["bleu"], GenerationMaxLength = 512 }, "generationMaxLength", "511 tokens");
        Refuses(Tiny() with { EvalMetrics = ["bleu"] }, "evalMetrics", "conversations or prompts with completions");
        Refuses(Tiny() with { EvalMetrics = ["bleu"], Objective = TrainingObjective.Dpo, LoraRank = 2 }, "evalMetrics", "dpo");
        var masked = Tiny() with { Model = "bert", Tokenizer = "bpe", VocabSize = 300, EvalMetrics = ["bleu"] };
        Refuses(masked, "evalMetrics", "masked-lm");
        Refuses(masked with { Task = Ingot.Models.ModelTask.MaskedLm }, "evalMetrics", "masked-lm");
        Write("answers.jsonl", string.Concat(Enumerable.Range(0, 20).Select(i =>
            $$"""{"prompt": "red {{i}}", "completion": " sun {{i}}"}""" + "\n")));
        Refuses(Tiny() with { Data = In("answers.jsonl"), EvalMetrics = ["bleu"], GenerationNumBeams = 4 }, "generationNumBeams", "causal-lm");

        void Refuses(TrainingOptions options, params string[] parts)
        {
            var problem = Assert.Throws<TrainingOptionsException>(() => Train(options))!;
            foreach (var part in parts)
                Assert.That(problem.Message, Does.Contain(part));
            Assert.That(Directory.Exists(RunPath), Is.False, "nothing was begun");
        }
    }

    /// <summary>Told of every text that is written for an evaluation.</summary>
    private sealed class Interrupter(Action<long, long> written) : ITrainingObserver
    {
        public void OnGeneration(long done, long total) => written(done, total);
    }
}
