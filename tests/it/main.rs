mod scenarios;
mod track;
